"""Write a torch model as ONNX, plainly or as fast as exact rewrites make it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from constrictor.compression.export.context import Changes, ExportContext
from constrictor.compression.export.onnx import PlainModel, export_onnx, reads_types
from constrictor.compression.export.optimize import export_fastest
from constrictor.compression.export.parity import compare_outputs, refuse_difference
from constrictor.models.manifest import installed_versions
from constrictor.models.torch_model import load_model
from constrictor.runtimes.onnx import open_session, run_session
from constrictor.runtimes.torch import opened


def write_onnx(context: ExportContext) -> Changes:
    """Write `model.onnx` from a float32 torch artifact.

    Raises:
        ConstrictorError: if the model cannot be opened or exported, or the two compute different things.
    """
    settings, head, max_length = context.settings, context.kind.head, context.kind.record.max_length
    model = load_model(context.parent, head, max_length)
    reference = context.reference(opened(model, head))

    def parity(file: Path) -> dict[str, Any]:
        return compare_outputs(
            reference, context.outputs(partial(run_session, open_session(file), pad_id=context.pad_id)), context
        )

    if settings.optimize:
        details = export_fastest(model, context, parity)
    else:
        file = context.staging / "model.onnx"
        typed = reads_types(model, context.features.encoded)
        export_onnx(PlainModel(model, head), file, settings.opset, max_length, settings.shape, typed=typed)
        details = {"parity": parity(file)}
        refuse_difference(details["parity"], settings.tolerance, file)
    return {
        "details": details,
        "versions": installed_versions("torch", "transformers", "onnx", "onnxruntime", "onnxscript"),
    }
