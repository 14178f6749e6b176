"""The stage `quantize`: pick the method for the artifact's format and write what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from constrictor.artifacts.manifest import Manifest, read_manifest
from constrictor.artifacts.writing import artifact_folder, seal
from constrictor.compression.quantization import onnx_half, onnx_int8, onnx_static, onnx_weight_only, torch_methods
from constrictor.compression.quantization.onnx_method import on_onnx
from constrictor.compression.quantization.work import Changes, Work
from constrictor.machine import slow_here
from constrictor.progress import announce
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.training.node import Node

METHODS: dict[tuple[str, str], Callable[[Work], Changes]] = {
    ("fp16", "torch"): torch_methods.half,
    ("bf16", "torch"): torch_methods.half,
    ("dynamic", "torch"): torch_methods.dynamic,
    ("static", "torch"): torch_methods.static,
    ("llm_int8", "torch"): torch_methods.bitsandbytes,
    ("nf4", "torch"): torch_methods.bitsandbytes,
    ("fp4", "torch"): torch_methods.bitsandbytes,
    ("qat", "torch"): torch_methods.quantization_aware,
    ("fp16", "onnx"): on_onnx(onnx_half.half),
    ("dynamic", "onnx"): on_onnx(onnx_int8.dynamic),
    ("static", "onnx"): on_onnx(onnx_static.static),
    ("weight_only", "onnx"): on_onnx(onnx_weight_only.weight_only),
}
"""By method and format of the parent."""


def quantize(settings: AnyQuantize, parent: Path, node: Node, **further: Any) -> Manifest:
    """Write a quantized version of an artifact.

    Args:
        settings: the step.
        parent: the artifact's folder, in float32.
        node: where to work.
        further: `calibration`, `lessons`, `soft_targets`, `teacher` and `task`, for the methods that need them (:class:`Work`).

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
        sealed = seal(staging, after)
    node.forget_training()
    return sealed
