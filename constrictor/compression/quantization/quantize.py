"""The stage `quantize`: pick the method for the artifact's format and write what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from constrictor.artifacts.manifest import Manifest, installed_versions, read_manifest
from constrictor.artifacts.torch_model import copy_tokenizer, count_parameters, load_classifier, save_classifier
from constrictor.artifacts.writing import artifact_folder, seal
from constrictor.compression.pruning.prune import draw_sample
from constrictor.compression.quantization.bnb import quantize_bnb, save_bnb
from constrictor.compression.quantization.modules import precisions
from constrictor.compression.quantization.onnx_int8 import quantize_onnx
from constrictor.compression.quantization.qat import fold, simulate_int8
from constrictor.compression.quantization.speed import slow_here
from constrictor.compression.quantization.torch_int8 import quantize_dynamic, quantize_static, save_int8
from constrictor.data.tokenization import Tokenizer
from constrictor.progress import announce
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.training.distil import Lesson
from constrictor.training.node import Node, TaskFolder
from constrictor.training.recovery import recover


@dataclass(frozen=True)
class Work:
    """What a method of quantization works with.

    Attributes:
        settings: the step.
        parent: the artifact to quantize.
        before: its manifest.
        staging: folder to write the new artifact's files to.
        calibration: examples to look at, for the methods that look at some.
        lessons: what a quantization-aware training reads.
        soft_targets: how teacher and labels are mixed in it.
        task: the prepared task, for the methods that calibrate or train.
        node: where to work.
    """

    settings: Any
    parent: Path
    before: Manifest
    staging: Path
    node: Node
    calibration: Path | None = None
    lessons: Sequence[Lesson] = ()
    soft_targets: SoftTargets | None = None
    task: TaskFolder | None = None

    def model(self) -> PreTrainedModel:
        """The torch model to quantize, in float32."""
        return load_classifier(self.parent, *self.before.trained_for(), seed=self.node.seed)

    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return Tokenizer(self.parent, self.before.trained_for()[1])


Changes = dict[str, Any]
"""Fields of the manifest that a method changes: `precision`, `details`, `versions` and, if need be, `format`."""


def _half(work: Work) -> Changes:
    model = work.model()
    model.to({"fp16": torch.float16, "bf16": torch.bfloat16}[work.settings.method])  # type: ignore[arg-type]
    save_classifier(model, work.parent, work.staging)
    return {
        "precision": work.settings.method,
        "details": precisions(model),
        "versions": installed_versions("torch", "transformers"),
    }


def _dynamic_torch(work: Work) -> Changes:
    model = work.model()
    quantize_dynamic(model, work.settings)
    save_int8(model, work.parent, work.staging)
    return {
        "precision": "int8",
        "format": "torch-int8",
        "details": precisions(model),
        "versions": installed_versions("torch", "transformers"),
    }


def _static_torch(work: Work) -> Changes:
    assert work.calibration is not None, "the rule hands examples to every method that looks at some"
    model = work.model()
    quantize_static(model, work.settings, draw_sample(work.settings, work.calibration, work.tokenizer()))
    save_int8(model, work.parent, work.staging)
    return {
        "precision": "int8",
        "format": "torch-int8",
        "details": precisions(model),
        "versions": installed_versions("torch", "transformers"),
    }


def _bitsandbytes(work: Work) -> Changes:
    model = work.model()
    kept = quantize_bnb(model, work.settings)
    save_bnb(model, work.parent, work.staging)
    versions = installed_versions("bitsandbytes", "torch", "transformers")
    details = precisions(model, kept)
    return {"precision": work.settings.method, "format": "bitsandbytes", "details": details, "versions": versions}


def _quantization_aware(work: Work) -> Changes:
    assert work.task is not None, "the rule hands the task to every method that trains"
    model = work.model()
    layers = simulate_int8(model)
    trained = recover(
        model,
        work.settings,
        work.parent,
        work.tokenizer(),
        work.lessons,
        work.soft_targets,
        work.task,
        work.node,
    )
    fold(model)
    save_classifier(model, work.parent, work.staging)
    work.node.write_training(trained)
    details = {"on_the_int8_grid": len(layers), "recovered": trained.best_epoch > 0, **precisions(model)}
    return {"details": details, **count_parameters(model), "versions": installed_versions("torch", "transformers")}


def _dynamic_onnx(work: Work) -> Changes:
    details = quantize_onnx(work.parent / "model.onnx", work.staging / "model.onnx", work.settings.per_channel)
    copy_tokenizer(work.parent, work.staging)
    return {"precision": "int8", "details": details, "versions": installed_versions("onnx", "onnxruntime")}


METHODS: dict[tuple[str, str], Callable[[Work], Changes]] = {
    ("fp16", "torch"): _half,
    ("bf16", "torch"): _half,
    ("dynamic", "torch"): _dynamic_torch,
    ("static", "torch"): _static_torch,
    ("llm_int8", "torch"): _bitsandbytes,
    ("nf4", "torch"): _bitsandbytes,
    ("fp4", "torch"): _bitsandbytes,
    ("qat", "torch"): _quantization_aware,
    ("dynamic", "onnx"): _dynamic_onnx,
}
"""By method and format of the parent."""


def quantize(settings: AnyQuantize, parent: Path, node: Node, **further: Any) -> Manifest:
    """Write a quantized version of an artifact.

    Args:
        settings: the step.
        parent: the artifact's folder, in float32.
        node: where to work.
        further: `calibration`, `lessons`, `soft_targets` and `task`, for the methods that need them (:class:`Work`).

    Raises:
        ConstrictorError: if the parent is damaged, the machine cannot do what is asked, or the disk is full.
    """
    before = read_manifest(parent)
    with artifact_folder(node.model) as staging:
        work = Work(settings, parent, before, staging, node, **further)
        after = before.descend(node.step, settings, **METHODS[settings.method, before.format](work))
        if slow := slow_here(after.precision, after.format):
            announce(f"{node.step} is slow on this machine: {slow}")
            after.details["slow_here"] = slow
        return seal(staging, after)
