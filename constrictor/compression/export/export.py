"""The stage `export`: write an artifact in another runtime's format, and accept it only if it says the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from constrictor.compression.export.context import Changes, ExportContext
from constrictor.compression.export.openvino import write_openvino
from constrictor.compression.export.ort import write_ort
from constrictor.data.examples import read_examples
from constrictor.models.artifact import artifact_folder, seal
from constrictor.models.manifest import Manifest, read_manifest
from constrictor.models.tokenizer_files import copy_tokenizer
from constrictor.study.steps.export import Export

TEXTS_COMPARED = 256


def export(settings: Export, parent: Path, examples: Path, target: Path, step: str) -> Manifest:
    """Write an artifact in another format and compare its logits with the parent's on validation texts.

    Args:
        settings: the step.
        parent: the artifact's folder: a float32 torch model for `onnx`, an ONNX model for the other formats.
        examples: Parquet file of examples to compare the two on.
        target: folder of the new artifact.
        step: name of the step.

    Raises:
        ConstrictorError: if the two say different things, the parent is damaged or cannot be written in this format, a
            package is missing, or the disk is full.
    """
    before = read_manifest(parent)
    texts = read_examples(examples).texts[:TEXTS_COMPARED]
    with artifact_folder(target) as staging:
        context = ExportContext(settings, parent, before, texts, staging)
        changes = _WRITERS[settings.format](context)
        copy_tokenizer(parent, staging)
        return seal(staging, before.descend(step, settings, format=settings.format, **changes))


def _write_onnx(context: ExportContext) -> Changes:
    from constrictor.compression.export.from_torch import write_onnx  # the other formats need no torch

    return write_onnx(context)


_WRITERS: dict[str, Callable[[ExportContext], Changes]] = {
    "onnx": _write_onnx,
    "ort": write_ort,
    "openvino": write_openvino,
}
