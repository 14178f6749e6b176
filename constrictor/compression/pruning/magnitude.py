"""Magnitude pruning: the weights nearest to zero matter least (Han et al., 2015)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel

from constrictor.artifacts.architecture import encoder_linears
from constrictor.compression.pruning.method import Pruned, Sample, keep_zeros
from constrictor.study.steps.prune import Magnitude


def prune_by_magnitude(model: PreTrainedModel, settings: Magnitude, sample: Sample | None) -> Pruned:
    """Zero the encoder's smallest linear weights, in place."""
    linears = encoder_linears(model)
    weights = {name: module.weight.detach() for name, module in linears.items()}
    assert settings.sparsity is not None
    return keep_zeros(linears, magnitude_masks(weights, settings.sparsity, settings.scope))


def magnitude_masks(
    weights: dict[str, Tensor], sparsity: float, scope: Literal["global", "layer"]
) -> dict[str, Tensor]:
    """Which weights stay.

    Exactly ``round(sparsity * n)`` of the n weights go, of all matrices together or of each; of equal ones the first go.

    Args:
        weights: matrices by name.
        sparsity: share to remove, 0 to 1.
        scope: ``global`` ranks all matrices together, ``layer`` each by itself.

    Returns:
        A boolean mask of each matrix's shape, true where the weight stays.

    >>> magnitude_masks({"a": torch.tensor([[1.0, -3.0, 0.5, 2.0]])}, 0.5, "global")["a"].tolist()
    [[False, True, False, True]]
    """
    if scope == "layer":
        return {
            name: _keep_largest(weight.abs().flatten(), sparsity).view_as(weight) for name, weight in weights.items()
        }
    kept = _keep_largest(torch.cat([weight.abs().flatten() for weight in weights.values()]), sparsity)
    parts = kept.split([weight.numel() for weight in weights.values()])
    return {name: part.view_as(weight) for (name, weight), part in zip(weights.items(), parts, strict=True)}


def _keep_largest(scores: Tensor, sparsity: float) -> Tensor:
    """True for all but the lowest ``round(sparsity * n)`` scores."""
    kept = torch.ones_like(scores, dtype=torch.bool)
    kept[torch.argsort(scores, stable=True)[: round(sparsity * len(scores))]] = False
    return kept
