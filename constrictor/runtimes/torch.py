"""Run torch models."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedModel

from constrictor.data.batching import Arrays, Batch
from constrictor.models.head import Head
from constrictor.models.model_inputs import inputs_of


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
