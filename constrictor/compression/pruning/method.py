"""What every method of pruning is given and gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from constrictor.compression.sample import Sample
from constrictor.models.architecture import Matrix
from constrictor.models.widths import by_output


@dataclass
class Pruned:
    """What a method did to a model, and what it needs during recovery fine-tuning.

    Attributes:
        details: entries of the manifest about it; called when the recovery is over.
        after_step: called after each optimiser step with the share of the recovery that is done.
        settled: share of the recovery fine-tuning after which the pruning is complete; earlier weights do not compete.
        finish: called when the recovery is over, before the model is saved.
        tokenizer: content of ``tokenizer.json``, where it is not the parent's any more.
    """

    details: Callable[[], dict[str, Any]]
    after_step: Callable[[float], None] | None = None
    settled: float = 0.0
    finish: Callable[[], None] = field(default=lambda: None)
    tokenizer: str | None = None


def sparsity_of(matrices: dict[str, Matrix]) -> dict[str, Any]:
    """Number of weights that pruning works on, and the share of them that is zero."""
    total = sum(module.weight.numel() for module in matrices.values())
    zero = sum(int((module.weight == 0).sum()) for module in matrices.values())
    return {"weights": total, "sparsity": round(zero / total, 6)}


@torch.no_grad()
def apply_masks(matrices: dict[str, Matrix], masks: dict[str, Tensor]) -> None:
    """Set the weights to zero, in place, where the masks ``(outputs, inputs)`` are False."""
    for name, module in matrices.items():
        by_output(module).mul_(masks[name].to(module.weight.device))


def keep_zeros(matrices: dict[str, Matrix], masks: dict[str, Tensor]) -> Pruned:
    """Apply masks ``(outputs, inputs)`` to a model now and after each step of its recovery."""
    apply_masks(matrices, masks)
    return Pruned(lambda: sparsity_of(matrices), after_step=lambda share: apply_masks(matrices, masks))


Method = Callable[[PreTrainedModel, Any, Sample | None], Pruned]
"""Prunes a model in place: model, the method's settings, and calibration examples if the settings require them."""
