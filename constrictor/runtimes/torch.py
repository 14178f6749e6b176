"""Run torch models."""

from __future__ import annotations

import numpy as np
import torch
from transformers import PreTrainedModel

from constrictor.data.batching import Batch
from constrictor.models.model_inputs import inputs_of


def forward(model: PreTrainedModel, batch: Batch, *, bf16: bool = False) -> np.ndarray:
    """Logits of one batch.

    Args:
        model: a classifier; its training mode is restored.
        batch: texts in tokens.
        bf16: compute matrix products in bf16.

    Returns:
        ``(batch, classes)`` float32.
    """
    was_training = model.training
    model.eval()
    tensors = inputs_of(model, {name: torch.from_numpy(values) for name, values in batch.items()})
    with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        logits = model(**tensors).logits.float().cpu().numpy()
    model.train(was_training)
    return logits
