"""OpenVINO's intermediate representation, with the precision to run in set explicitly."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from constrictor.compression.export.context import Changes, ExportContext
from constrictor.compression.export.parity import compare_outputs, format_agreement, refuse_difference
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import installed_versions
from constrictor.runtimes.onnx import opened
from constrictor.runtimes.openvino import import_openvino, open_openvino, real_precision, run_openvino

# bf16 keeps 8 bits of a number, so single logits move; their mean may move by this share of the logits' spread.
MAX_SHIFT_BF16 = 0.05


def write_openvino(context: ExportContext) -> Changes:
    """Write `model.xml` and `model.bin` from a float32 ONNX artifact.

    The weights stay in float32. The precision is a hint at run time; the manifest names the one that this processor
    really runs in, which is fp32 where it has no bf16.

    Raises:
        ConstrictorError: if the package is missing, OpenVINO cannot read the model, or their outputs differ.
    """
    openvino = import_openvino()
    source, target = context.parent / "model.onnx", context.staging / "model.xml"
    if context.before.precision != "fp32":
        raise ConstrictorError(
            f"{source} is {context.before.precision}, which OpenVINO runs slowly. Export its float32 parent instead."
        )
    try:
        model = openvino.Core().read_model(source)
        # Operations without a name are numbered through the life of the process; the file should not depend on it.
        for number, operation in enumerate(model.get_ordered_ops()):
            if operation.get_type_name() not in ("Parameter", "Result"):
                operation.set_friendly_name(f"{operation.get_type_name()}_{number}")
        openvino.save_model(model, target, compress_to_fp16=False)
    except RuntimeError as error:
        raise ConstrictorError(f"{source} cannot be read by OpenVINO: {error}") from None
    compiled = open_openvino(target, context.settings.precision)
    precision = real_precision(compiled)
    reference = context.reference(opened(source, pad_id=context.pad_id))
    found = context.outputs(partial(run_openvino, compiled, pad_id=context.pad_id))
    parity = compare_outputs(reference, found, context)
    if precision == "fp32":
        refuse_difference(parity, context.settings.tolerance, target)
    else:
        refuse_shift(parity, target)
    return {
        "precision": precision,
        "details": {"parity": parity, "precision_asked": context.settings.precision},
        "versions": installed_versions("openvino", "onnxruntime"),
    }


def refuse_shift(parity: dict[str, Any], file: Path) -> None:
    """Stop when 16-bit arithmetic moves the logits by more than its rounding explains.

    Args:
        parity: what :func:`compare_outputs` found.
        file: the model, for the message.

    Raises:
        ConstrictorError: saying by how much.
    """
    spread = parity["spread"]
    if not parity["mean_difference"] <= MAX_SHIFT_BF16 * spread:
        raise ConstrictorError(
            f"{file.name} differs from its parent: logits move by {parity['mean_difference']:.2e} on average where they "
            f"spread by {spread:.2e}{format_agreement(parity)}. "
            "Set 'precision: fp32'."
        )
