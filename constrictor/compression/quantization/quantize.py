"""The stage `quantize`: pick the method for the artifact's format and write what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from constrictor.compression.quantization.context import Changes, QuantizationContext
from constrictor.machine import this_machine
from constrictor.models.artifact import artifact_folder, seal
from constrictor.models.manifest import Manifest, read_manifest
from constrictor.progress import announce
from constrictor.runtimes.load import open_artifact
from constrictor.runtimes.try_out import try_out
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.node import Node, TaskFolder


def quantize(
    settings: AnyQuantize,
    parent: Path,
    node: Node,
    *,
    task: TaskFolder,
    calibration: Path | None = None,
    plan: TrainingPlan | None = None,
) -> Manifest:
    """Write a quantized version of an artifact.

    Args:
        settings: the step.
        parent: the artifact's folder, in float32.
        node: where to work.
        task: the prepared task, on whose validation examples the new model is tried.
        calibration: file of examples, for the methods that calibrate on some.
        plan: what a quantization-aware training reads.

    Raises:
        ConstrictorError: if the parent is damaged, the machine cannot compute what the step requests, the new model does not
            run or its outputs are not finite, or the disk is full.
    """
    before = read_manifest(parent)
    with artifact_folder(node.model) as staging:
        context = QuantizationContext(settings, parent, before, staging, node, task, calibration, plan)
        after = before.descend(node.step, settings, **_methods_for(before.format)[settings.method](context))
        if slow := settings.slow_on(this_machine(), after.format):
            announce(f"{node.step} is slow on this machine: {slow}")
            after.details["slow_here"] = slow
        sealed = seal(staging, after)
        try_out(node.step, partial(open_artifact, staging, sealed), task.validation)
    node.forget_training()
    return sealed


def _methods_for(format: str) -> dict[str, Callable[[QuantizationContext], Changes]]:
    """The methods that know a format, by name. Imported only now: an ONNX model is quantized without torch."""
    if format == "onnx":
        from constrictor.compression.quantization import onnx_half, onnx_int8, onnx_static, onnx_weight_only
        from constrictor.compression.quantization.onnx_method import on_onnx

        return {
            "fp16": on_onnx(onnx_half.half),
            "dynamic": on_onnx(onnx_int8.dynamic),
            "static": on_onnx(onnx_static.static),
            "weight_only": on_onnx(onnx_weight_only.weight_only),
        }
    from constrictor.compression.quantization import torch_methods

    return {
        "fp16": torch_methods.half,
        "bf16": torch_methods.half,
        "dynamic": torch_methods.dynamic,
        "static": torch_methods.static,
        "llm_int8": torch_methods.bitsandbytes,
        "nf4": torch_methods.bitsandbytes,
        "fp4": torch_methods.bitsandbytes,
        "qat": torch_methods.quantization_aware,
    }
