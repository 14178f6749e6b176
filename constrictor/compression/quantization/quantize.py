"""The stage `quantize`: pick the method for the artifact's format and write what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from constrictor.artifacts.manifest import Manifest, installed_versions, read_manifest
from constrictor.artifacts.torch_model import load_classifier, save_classifier
from constrictor.artifacts.writing import artifact_folder, seal
from constrictor.compression.quantization.onnx_half import half
from constrictor.compression.quantization.onnx_int8 import dynamic
from constrictor.compression.quantization.onnx_method import on_onnx
from constrictor.compression.quantization.onnx_static import static
from constrictor.compression.quantization.onnx_weight_only import weight_only
from constrictor.compression.quantization.torch_int8 import save_int8
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.training.distil import Lesson
from constrictor.training.node import Node, TaskFolder


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


Changes = dict[str, Any]
"""Fields of the manifest that a method changes: `precision`, `details`, `versions` and, if need be, `format`."""


def _half(work: Work) -> Changes:
    model = load_classifier(work.parent, *work.before.trained_for())
    model.to({"fp16": torch.float16, "bf16": torch.bfloat16}[work.settings.method])  # type: ignore[arg-type]
    save_classifier(model, work.parent, work.staging)
    return {"precision": work.settings.method, "versions": installed_versions("torch", "transformers")}


def _dynamic_torch(work: Work) -> Changes:
    model = load_classifier(work.parent, *work.before.trained_for())
    layers = save_int8(model, work.settings.per_channel, work.parent, work.staging)
    return {
        "precision": "int8",
        "format": "torch-int8",
        "details": {"int8_layers": len(layers)},
        "versions": installed_versions("torch", "transformers"),
    }


METHODS: dict[tuple[str, str], Callable[[Work], Changes]] = {
    ("fp16", "torch"): _half,
    ("bf16", "torch"): _half,
    ("dynamic", "torch"): _dynamic_torch,
    ("fp16", "onnx"): on_onnx(half),
    ("dynamic", "onnx"): on_onnx(dynamic),
    ("static", "onnx"): on_onnx(static),
    ("weight_only", "onnx"): on_onnx(weight_only),
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
        changes = METHODS[settings.method, before.format](work)
        return seal(staging, before.descend(node.step, settings, **changes))
