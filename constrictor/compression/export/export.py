"""The stage `export`: write an artifact in another runtime's format, and accept it only if it computes the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from constrictor.compression.export.context import Changes, ExportContext
from constrictor.compression.export.openvino import write_openvino
from constrictor.compression.export.ort import write_ort
from constrictor.data.examples import read_examples
from constrictor.errors import ConstrictorError
from constrictor.models.artifact import artifact_folder, seal
from constrictor.models.manifest import Manifest, read_manifest
from constrictor.models.tokenizer_files import copy_tokenizer
from constrictor.runtimes.load import open_artifact
from constrictor.runtimes.try_out import try_out
from constrictor.study.steps.export import Export

INPUTS_COMPARED = 256


def export(settings: Export, parent: Path, examples: Path, target: Path, step: str) -> Manifest:
    """Write an artifact in another format and compare its outputs with the parent's.

    Args:
        settings: the step.
        parent: the artifact's folder: a float32 torch model for `onnx`, an ONNX model for the other formats.
        examples: Parquet file of examples to compare the two on.
        target: folder of the new artifact.
        step: name of the step.

    Raises:
        ConstrictorError: if the two compute different things, the parent is damaged or cannot be written in this format, a
            package is missing, or the disk is full.
    """
    before = read_manifest(parent)
    inputs = read_examples(examples).texts[:INPUTS_COMPARED]
    with artifact_folder(target) as staging:
        context = ExportContext(settings, parent, _with_fixed_length(before, settings), inputs, staging)
        changes = _WRITERS[settings.format](context)
        copy_tokenizer(parent, staging)
        sealed = seal(staging, context.before.descend(step, settings, format=settings.format, **changes))
        try_out(step, partial(open_artifact, staging, sealed), examples)
        return sealed


def _with_fixed_length(before: Manifest, settings: Export) -> Manifest:
    """The parent's manifest with the longest input in tokens of the exported model; a fixed shape may lower it."""
    task, shape = before.trained_for(), settings.shape
    if shape is None:
        return before
    if shape[1] > task.max_length:
        raise ConstrictorError(
            f"'shape' fixes a length of {shape[1]} tokens and no input of the task has more than {task.max_length}. "
            f"Set 'shape: [{shape[0]}, {task.max_length}]'."
        )
    return before.model_copy(update={"task": task.model_copy(update={"max_length": shape[1]})})


def _write_onnx(context: ExportContext) -> Changes:
    from constrictor.compression.export.from_torch import write_onnx  # the other formats need no torch

    return write_onnx(context)


_WRITERS: dict[str, Callable[[ExportContext], Changes]] = {
    "onnx": _write_onnx,
    "ort": write_ort,
    "openvino": write_openvino,
}
