"""Whether an exported model computes what its parent computes, on real inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from constrictor.compression.differences import difference_of
from constrictor.compression.export.context import ExportContext
from constrictor.data.batching import RawOutputs
from constrictor.errors import ConstrictorError


def compare_outputs(reference: RawOutputs, candidate: RawOutputs, context: ExportContext) -> dict[str, Any]:
    """How far two models' outputs for the inputs of an export are apart.

    Returns:
        The largest and the mean absolute difference, the standard deviation of the reference and the scale of a tolerance
        (:class:`~constrictor.compression.differences.Difference`), and the share of equal predictions; None where
        predictions are values.
    """
    kind, found = context.kind, difference_of(reference, candidate)
    predictions = [kind.predict(kind.decode(raw, context.features, context.inputs)) for raw in (reference, candidate)]
    return {
        "inputs": len(context.inputs),
        "max_difference": found.largest,
        "mean_difference": found.mean,
        "spread": found.spread,
        "scale": found.scale,
        "equal_predictions": kind.agreement(*predictions),
    }


def agrees(found: dict[str, Any], tolerance: float) -> bool:
    """Whether no output differs by more than a share of the outputs' scale; NaN agrees with nothing."""
    return bool(found["max_difference"] <= tolerance * found["scale"])


def refuse_difference(found: dict[str, Any], tolerance: float, file: Path) -> None:
    """Stop when an exported model does not compute what its parent does.

    Raises:
        ConstrictorError: saying by how much the tolerance is passed.
    """
    if not agrees(found, tolerance):
        raise ConstrictorError(
            f"{file.name} differs from its parent: an output by {found['max_difference']:.2e} where "
            f"{tolerance * found['scale']:.2e} is allowed, a share of {tolerance:g} of how far outputs differ (mean "
            f"{found['mean_difference']:.2e}{format_agreement(found)}). Raise 'tolerance' only if you know why; another "
            "'opset' may help."
        )


def format_agreement(found: dict[str, Any]) -> str:
    """The share of equal predictions, as the end of a list; empty where predictions are values."""
    share = found["equal_predictions"]
    return "" if share is None else f", {share:.1%} equal predictions on {found['inputs']} inputs"
