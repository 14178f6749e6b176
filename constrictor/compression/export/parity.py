"""Whether an exported model computes what its parent computes, on real inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from constrictor.compression.export.context import ExportContext
from constrictor.data.batching import RawOutputs
from constrictor.errors import ConstrictorError


def compare_outputs(reference: RawOutputs, candidate: RawOutputs, context: ExportContext) -> dict[str, Any]:
    """How far two models' outputs for the inputs of an export are apart.

    Returns:
        The largest and the mean absolute difference, the reference's standard deviation, and the share of equal
        predictions; None where predictions are values.
    """
    kind = context.kind
    flat = [(_flat(reference[name]), _flat(candidate[name])) for name in reference]
    differences = np.concatenate([np.abs(old - new) for old, new in flat])
    predictions = [kind.predict(kind.decode(raw, context.features, context.inputs)) for raw in (reference, candidate)]
    return {
        "inputs": len(context.inputs),
        "max_difference": float(differences.max()),
        "mean_difference": float(differences.mean()),
        "spread": float(np.std(np.concatenate([old for old, _ in flat]))),
        "equal_predictions": kind.agreement(*predictions),
    }


def _flat(values: np.ndarray | list[np.ndarray]) -> np.ndarray:
    return np.concatenate(values) if isinstance(values, list) else values.ravel()


def refuse_difference(found: dict[str, Any], limit: float, file: Path) -> None:
    """Stop when an exported model does not compute what its parent does.

    Raises:
        ConstrictorError: saying by how much the limit is passed.
    """
    if not found["max_difference"] <= limit:  # also catches NaN
        raise ConstrictorError(
            f"{file.name} differs from its parent: an output by {found['max_difference']:.2e} where {limit:.0e} is "
            f"allowed (mean {found['mean_difference']:.2e}{format_agreement(found)}). Raise 'atol' only if you know "
            "why; another 'opset' may help."
        )


def format_agreement(found: dict[str, Any]) -> str:
    """The share of equal predictions, as the end of a list; empty where predictions are values."""
    share = found["equal_predictions"]
    return "" if share is None else f", {share:.1%} equal predictions on {found['inputs']} inputs"
