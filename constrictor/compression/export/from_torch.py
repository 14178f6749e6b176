"""Write a torch model as ONNX, plainly or as fast as exact rewrites make it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from constrictor.compression.export.context import Changes, ExportContext
from constrictor.compression.export.onnx import PlainClassifier, export_onnx, reads_types
from constrictor.compression.export.optimize import export_fastest
from constrictor.compression.export.parity import compare_logits, refuse_difference
from constrictor.data.batching import predict_logits
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import installed_versions
from constrictor.models.torch_model import load_classifier
from constrictor.runtimes.onnx import open_session, run_session
from constrictor.runtimes.torch import forward


def write_onnx(context: ExportContext) -> Changes:
    """Write `model.onnx` from a float32 torch artifact.

    Raises:
        ConstrictorError: if the model cannot be opened or exported, or the two say different things.
    """
    settings, labels = context.settings, context.before.trained_for()[0]
    max_length = _longest_input(context)
    model, texts, pad_id = load_classifier(context.parent, labels, max_length), *context.encode(max_length)
    reference = predict_logits(partial(forward, model), texts, pad_id)

    def parity(file: Path) -> dict[str, Any]:
        return compare_logits(reference, predict_logits(partial(run_session, open_session(file)), texts, pad_id))

    if settings.optimize:
        details = export_fastest(model, settings, context.staging, max_length, texts, parity)
    else:
        file = context.staging / "model.onnx"
        typed = reads_types(model, texts)
        export_onnx(PlainClassifier(model), file, settings.opset, max_length, settings.shape, typed=typed)
        details = {"parity": parity(file)}
        refuse_difference(details["parity"], settings.atol, file)
    return {
        "details": details,
        "max_length": max_length,
        "versions": installed_versions("torch", "transformers", "onnx", "onnxruntime", "onnxscript"),
    }


def _longest_input(context: ExportContext) -> int:
    """Longest input in tokens of the exported model; a fixed shape may lower it."""
    max_length, shape = context.before.trained_for()[1], context.settings.shape
    if shape is None:
        return max_length
    if shape[1] > max_length:
        raise ConstrictorError(
            f"'shape' fixes a length of {shape[1]} tokens and no text of the task has more than {max_length}. "
            f"Set 'shape: [{shape[0]}, {max_length}]'."
        )
    return shape[1]
