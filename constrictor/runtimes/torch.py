"""Run torch models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.data.batching import Arrays, Batch
from constrictor.models.head import Head
from constrictor.models.model_inputs import inputs_of
from constrictor.runtimes.opened import Opened


def outputs_of(model: PreTrainedModel, inputs: Mapping[str, Tensor], head: Head) -> dict[str, Tensor]:
    """A model's outputs in float32, by our names.

    Args:
        model: the model, or what wraps it.
        inputs: what it reads of a batch.
        head: its head.
    """
    found = model(**inputs)
    return {name: getattr(found, field).float() for name, field in head.outputs.items()}


def forward(model: PreTrainedModel, batch: Batch, head: Head, *, bf16: bool = False) -> Arrays:
    """Outputs for one batch, without gradients.

    Args:
        model: the model; its training mode is restored.
        batch: features in tokens.
        head: its head.
        bf16: compute matrix products in bf16.

    Returns:
        By name ``(batch, ...)`` float32.
    """
    was_training = model.training
    model.eval()
    tensors = inputs_of(model, {name: torch.from_numpy(values) for name, values in batch.items()})
    with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        found = {name: values.cpu().numpy() for name, values in outputs_of(model, tensors, head).items()}
    model.train(was_training)
    return found


def opened(model: PreTrainedModel, head: Head, *, bf16: bool = False) -> Opened:
    """A model in memory as every other runtime has it.

    Args:
        model: the model.
        head: its head.
        bf16: compute matrix products in bf16.
    """
    return Opened(partial(forward, model, head=head, bf16=bf16), partial(first_not_finite, model, head=head, bf16=bf16))


def first_not_finite(model: PreTrainedModel, batch: Batch, head: Head, *, bf16: bool = False) -> str | None:
    """Name of the module that is the first to put out a number that is not finite, or None; as :func:`forward` computes."""
    found: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            if isinstance(value, Tensor) and not value.isfinite().all():
                found.append(name)

        return look

    hooks = [module.register_forward_hook(watch(name)) for name, module in model.named_modules() if name]
    try:
        forward(model, batch, head, bf16=bf16)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None  # the innermost module ends first
