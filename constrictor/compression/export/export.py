"""The stage `export`: write an artifact in another runtime's format, and accept it only if it says the same."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from constrictor.artifacts.manifest import Manifest, installed_versions, read_manifest
from constrictor.artifacts.onnx_model import open_session, run_session
from constrictor.artifacts.torch_model import copy_tokenizer, forward, load_classifier
from constrictor.artifacts.writing import artifact_folder, seal
from constrictor.compression.export.onnx import compare_logits, export_onnx, refuse_difference
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer, predict_logits
from constrictor.study.steps.export import Export

TEXTS_COMPARED = 256


def export(settings: Export, parent: Path, task: Path, target: Path, step: str) -> Manifest:
    """Write an artifact as ONNX and compare its logits with the torch model's on validation texts.

    Args:
        settings: the step.
        parent: the artifact's folder, a float32 torch model.
        task: folder of the prepared task.
        target: folder of the new artifact.
        step: name of the step.

    Raises:
        ConstrictorError: if a logit differs by more than the step allows, the parent is damaged, or the disk is full.
    """
    before = read_manifest(parent)
    labels, max_length = before.trained_for()
    model, tokenizer = load_classifier(parent, labels, max_length), Tokenizer(parent, max_length)
    texts = tokenizer.encode(read_examples(task / "validation.parquet").texts[:TEXTS_COMPARED])
    reference = predict_logits(partial(forward, model), texts, tokenizer.pad_id)
    with artifact_folder(target) as staging:
        file = staging / "model.onnx"
        export_onnx(model, file, settings.opset)
        found = predict_logits(partial(run_session, open_session(file)), texts, tokenizer.pad_id)
        parity = compare_logits(reference, found)
        refuse_difference(parity, settings.max_difference, file)
        copy_tokenizer(parent, staging)
        return seal(
            staging,
            before.descend(
                step,
                settings,
                format="onnx",
                details={"parity": parity},
                versions=installed_versions("torch", "transformers", "onnx", "onnxruntime", "onnxscript"),
            ),
        )
