"""The methods that quantize a torch model: each opens the parent, changes it and writes what comes of it."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from constrictor.compression.quantization.bnb import quantize_bnb
from constrictor.compression.quantization.context import Changes, QuantizationContext
from constrictor.compression.quantization.qat import remove_simulation, simulate_int8
from constrictor.compression.quantization.torch_int8 import quantize_dynamic, quantize_static
from constrictor.data.batching import pad
from constrictor.models.manifest import installed_versions
from constrictor.models.quantized.bitsandbytes import WEIGHTS as BNB_WEIGHTS
from constrictor.models.quantized.int8_model import WEIGHTS as INT8_WEIGHTS
from constrictor.models.quantized.modules import precisions, save_quantized
from constrictor.models.torch_model import count_parameters, save_model
from constrictor.runtimes.try_out import few_features
from constrictor.training.run import Training


def half(context: QuantizationContext) -> Changes:
    """Store the weights in 16 bits."""
    model = context.model()
    model.to({"fp16": torch.float16, "bf16": torch.bfloat16}[context.settings.method])  # type: ignore[arg-type]
    save_model(model, context.parent, context.staging)
    return {
        "precision": context.settings.method,
        "details": precisions(model),
        "versions": installed_versions("torch", "transformers"),
    }


def dynamic(context: QuantizationContext) -> Changes:
    """Int8 weights, activations quantized as they come."""
    model, tokenizer = context.model(), context.tokenizer()
    few = pad(few_features(context.kind, tokenizer, context.task.validation).encoded, tokenizer.pad_id)
    batch = {name: torch.from_numpy(values) for name, values in few.items()}
    return _saved_int8(model, context, quantize_dynamic(model, context.settings, batch))


def static(context: QuantizationContext) -> Changes:
    """Int8 weights and activations with ranges from calibration examples."""
    model = context.model()
    return _saved_int8(model, context, quantize_static(model, context.settings, context.sample()))


def _saved_int8(model: PreTrainedModel, context: QuantizationContext, kept: dict[str, str]) -> Changes:
    save_quantized(model, context.parent, context.staging / INT8_WEIGHTS)
    return {
        "precision": "int8",
        "format": "torch-int8",
        "details": precisions(model, kept),
        "versions": installed_versions("torch", "transformers"),
    }


def bitsandbytes(context: QuantizationContext) -> Changes:
    """Weights in a format of bitsandbytes."""
    model = context.model()
    kept = quantize_bnb(model, context.settings)
    save_quantized(model, context.parent, context.staging / BNB_WEIGHTS)
    versions = installed_versions("bitsandbytes", "torch", "transformers")
    details = precisions(model, kept)
    return {"precision": context.settings.method, "format": "bitsandbytes", "details": details, "versions": versions}


def quantization_aware(context: QuantizationContext) -> Changes:
    """Train with int8 rounding in the forward pass, and leave float32 weights on the int8 grid."""
    assert context.plan is not None, "the rule hands a plan to every method that trains"
    model = context.model()
    layers = simulate_int8(model)
    training = Training(
        model,
        context.parent,
        context.tokenizer(),
        context.settings,
        context.settings.finetune_epochs,
        context.plan,
        competes_from=0,
    )
    trained = training.run(context.task, context.node)
    remove_simulation(model)
    save_model(model, context.parent, context.staging)
    context.node.write_training(trained)
    details = {"on_the_int8_grid": len(layers), "recovered": trained.best_epoch > 0, **precisions(model)}
    return {"details": details, **count_parameters(model), "versions": installed_versions("torch", "transformers")}
