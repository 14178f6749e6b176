"""The methods that quantize a torch model: each opens the parent, changes it and writes what comes of it."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from constrictor.artifacts.manifest import installed_versions
from constrictor.artifacts.torch_model import count_parameters, save_classifier
from constrictor.compression.quantization.bnb import WEIGHTS as BNB_WEIGHTS
from constrictor.compression.quantization.bnb import quantize_bnb
from constrictor.compression.quantization.modules import precisions, save_quantized
from constrictor.compression.quantization.qat import fold, simulate_int8
from constrictor.compression.quantization.torch_int8 import WEIGHTS as INT8_WEIGHTS
from constrictor.compression.quantization.torch_int8 import quantize_dynamic, quantize_static
from constrictor.compression.quantization.work import Changes, Work
from constrictor.training.lessons import learn


def half(work: Work) -> Changes:
    """Store the weights in 16 bits."""
    model = work.model()
    model.to({"fp16": torch.float16, "bf16": torch.bfloat16}[work.settings.method])  # type: ignore[arg-type]
    save_classifier(model, work.parent, work.staging)
    return {
        "precision": work.settings.method,
        "details": precisions(model),
        "versions": installed_versions("torch", "transformers"),
    }


def dynamic(work: Work) -> Changes:
    """Int8 weights, activations quantized as they come."""
    model = work.model()
    quantize_dynamic(model, work.settings)
    return _saved_int8(model, work)


def static(work: Work) -> Changes:
    """Int8 weights and activations with ranges from calibration examples."""
    model = work.model()
    quantize_static(model, work.settings, work.sample())
    return _saved_int8(model, work)


def _saved_int8(model: PreTrainedModel, work: Work) -> Changes:
    save_quantized(model, work.parent, work.staging / INT8_WEIGHTS)
    return {
        "precision": "int8",
        "format": "torch-int8",
        "details": precisions(model),
        "versions": installed_versions("torch", "transformers"),
    }


def bitsandbytes(work: Work) -> Changes:
    """Weights in a format of bitsandbytes."""
    model = work.model()
    kept = quantize_bnb(model, work.settings)
    save_quantized(model, work.parent, work.staging / BNB_WEIGHTS)
    versions = installed_versions("bitsandbytes", "torch", "transformers")
    details = precisions(model, kept)
    return {"precision": work.settings.method, "format": "bitsandbytes", "details": details, "versions": versions}


def quantization_aware(work: Work) -> Changes:
    """Train with int8 rounding in the forward pass, and leave float32 weights on the int8 grid."""
    assert work.task is not None, "the rule hands the task to every method that trains"
    model = work.model()
    layers = simulate_int8(model)
    trained = learn(
        model,
        work.settings,
        tokenizer=work.tokenizer(),
        lessons=work.lessons,
        soft_targets=work.soft_targets,
        start=work.parent,
        task=work.task,
        node=work.node,
        epochs=work.settings.finetune_epochs,
        competes_from=0,
        teacher=work.teacher,
    )
    fold(model)
    save_classifier(model, work.parent, work.staging)
    work.node.write_training(trained)
    details = {"on_the_int8_grid": len(layers), "recovered": trained.best_epoch > 0, **precisions(model)}
    return {"details": details, **count_parameters(model), "versions": installed_versions("torch", "transformers")}
