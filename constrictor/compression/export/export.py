"""The stage `export`: write an artifact in another runtime's format, and accept it only if it says the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from constrictor.artifacts.manifest import Manifest, installed_versions, read_manifest
from constrictor.artifacts.onnx_model import open_session, run_session
from constrictor.artifacts.torch_model import copy_tokenizer, forward, load_classifier
from constrictor.artifacts.writing import artifact_folder, seal
from constrictor.compression.export.onnx import PlainClassifier, export_onnx, reads_types
from constrictor.compression.export.openvino import write_openvino
from constrictor.compression.export.optimize import export_fastest
from constrictor.compression.export.ort import write_ort
from constrictor.compression.export.parity import compare_logits, refuse_difference
from constrictor.compression.export.work import Changes, Work
from constrictor.data.batching import predict_logits
from constrictor.data.examples import read_examples
from constrictor.errors import ConstrictorError
from constrictor.study.steps.export import Export

TEXTS_COMPARED = 256


def export(settings: Export, parent: Path, task: Path, target: Path, step: str) -> Manifest:
    """Write an artifact in another format and compare its logits with the parent's on validation texts.

    Args:
        settings: the step.
        parent: the artifact's folder: a float32 torch model for `onnx`, an ONNX model for the other formats.
        task: folder of the prepared task.
        target: folder of the new artifact.
        step: name of the step.

    Raises:
        ConstrictorError: if the two say different things, the parent is damaged or cannot be written in this format, a
            package is missing, or the disk is full.
    """
    before = read_manifest(parent)
    texts = read_examples(task / "validation.parquet").texts[:TEXTS_COMPARED]
    with artifact_folder(target) as staging:
        work = Work(settings, parent, before, texts, staging)
        changes = _WRITERS[settings.format](work)
        copy_tokenizer(parent, staging)
        return seal(staging, before.descend(step, settings, format=settings.format, **changes))


def _write_onnx(work: Work) -> Changes:
    settings, labels = work.settings, work.before.trained_for()[0]
    max_length = _longest_input(work)
    model, texts, pad_id = load_classifier(work.parent, labels, max_length), *work.encode(max_length)
    reference = predict_logits(partial(forward, model), texts, pad_id)

    def parity(file: Path) -> dict[str, Any]:
        return compare_logits(reference, predict_logits(partial(run_session, open_session(file)), texts, pad_id))

    if settings.optimize:
        details = export_fastest(model, settings, work.staging, max_length, texts, parity)
    else:
        file = work.staging / "model.onnx"
        typed = reads_types(model, texts)
        export_onnx(PlainClassifier(model), file, settings.opset, max_length, settings.shape, typed=typed)
        details = {"parity": parity(file)}
        refuse_difference(details["parity"], settings.max_difference, file)
    return {
        "details": details,
        "max_length": max_length,
        "versions": installed_versions("torch", "transformers", "onnx", "onnxruntime", "onnxscript"),
    }


def _longest_input(work: Work) -> int:
    """Longest input in tokens of the exported model; a fixed shape may lower it."""
    max_length, shape = work.before.trained_for()[1], work.settings.shape
    if shape is None:
        return max_length
    if shape[1] > max_length:
        raise ConstrictorError(
            f"'shape' fixes a length of {shape[1]} tokens and no text of the task has more than {max_length}. "
            f"Set 'shape: [{shape[0]}, {max_length}]'."
        )
    return shape[1]


_WRITERS: dict[str, Callable[[Work], Changes]] = {"onnx": _write_onnx, "ort": write_ort, "openvino": write_openvino}
