"""The stage `quantize`: pick the method for the artifact's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from constrictor.artifacts.manifest import Manifest, installed_versions, read_manifest
from constrictor.artifacts.torch_model import copy_tokenizer, load_classifier, save_classifier
from constrictor.artifacts.writing import artifact_folder, seal
from constrictor.compression.quantization.onnx_int8 import quantize_onnx
from constrictor.compression.quantization.torch_int8 import save_int8
from constrictor.study.steps.quantize import Quantize

_HALF = {"fp16": torch.float16, "bf16": torch.bfloat16}


def quantize(settings: Quantize, parent: Path, target: Path, step: str) -> Manifest:
    """Write a quantized version of an artifact.

    Args:
        settings: the step.
        parent: the artifact's folder, in float32.
        target: folder of the new artifact.
        step: name of the step.

    Raises:
        ConstrictorError: if the parent is damaged, or the disk is full.
    """
    before = read_manifest(parent)
    changes: dict[str, Any] = {"precision": "int8", "versions": installed_versions("torch", "transformers")}
    with artifact_folder(target) as staging:
        if before.format == "onnx":
            details: dict[str, Any] = quantize_onnx(parent / "model.onnx", staging / "model.onnx", settings.per_channel)
            copy_tokenizer(parent, staging)
            changes["versions"] = installed_versions("onnx", "onnxruntime")
        else:
            model = load_classifier(parent, *before.trained_for())
            if settings.method in _HALF:
                model.to(_HALF[settings.method])  # type: ignore[arg-type]
                save_classifier(model, parent, staging)
                changes["precision"], details = settings.method, {}
            else:
                details = {"int8_layers": len(save_int8(model, settings.per_channel, parent, staging))}
                changes["format"] = "torch-int8"
        return seal(staging, before.descend(step, settings, details=details, **changes))
