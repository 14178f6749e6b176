"""Masks from scores: which weights stay. Every method that zeros single weights makes its masks here."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from constrictor.errors import ConstrictorError

Scope = Literal["global", "layer"]


def sparsity_masks(scores: dict[str, Tensor], sparsity: float, scope: Scope) -> dict[str, Tensor]:
    """Masks without the lowest scores.

    Exactly ``round(sparsity * n)`` of the n weights go, of all matrices together or of each; of equal ones the first go.

    Args:
        scores: the importance of each weight, by the matrix's name.
        sparsity: share to remove, 0 to 1.
        scope: ``global`` ranks all matrices together, ``layer`` each by itself.

    Returns:
        A boolean mask of each matrix's shape, true where the weight stays.

    >>> sparsity_masks({"a": torch.tensor([[1.0, 3.0, 0.5, 2.0]])}, 0.5, "global")["a"].tolist()
    [[False, True, False, True]]
    """
    if scope == "layer":
        return {name: _without_lowest(score.flatten(), sparsity).view_as(score) for name, score in scores.items()}
    kept = _without_lowest(torch.cat([score.flatten() for score in scores.values()]), sparsity)
    parts = kept.split([score.numel() for score in scores.values()])
    return {name: part.view_as(score) for (name, score), part in zip(scores.items(), parts, strict=True)}


def _without_lowest(scores: Tensor, sparsity: float) -> Tensor:
    """True for all but the lowest ``round(sparsity * n)`` scores ``(n,)``."""
    count = round(sparsity * len(scores))
    if count == 0:
        return torch.ones_like(scores, dtype=torch.bool)
    # Done after each optimiser step: numpy selects ten times as fast as torch on a CPU, and sorting takes a hundred times.
    threshold = float(np.partition(scores.cpu().numpy(), count - 1)[count - 1])
    kept = scores >= threshold
    equal = torch.nonzero(scores == threshold).flatten()
    kept[equal[: count - int((~kept).sum())]] = False
    return kept


def row_masks(scores: dict[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """Masks without the lowest ``round(sparsity * inputs)`` scores of each row, that is of each neuron."""
    return {name: _rows_without_lowest(score, round(sparsity * score.shape[1])) for name, score in scores.items()}


def pattern_masks(scores: dict[str, Tensor], pattern: str) -> dict[str, Tensor]:
    """Masks of an N:M pattern: of every ``M`` neighbouring inputs of a neuron, the ``N`` highest stay (Zhou et al., 2021).

    Args:
        scores: the importance of each weight ``(outputs, inputs)``, by the matrix's name.
        pattern: ``N:M``, for example ``2:4``.

    Raises:
        ConstrictorError: if the groups do not fit into a row. To leave such a matrix dense would hide that the model
            has neither the sparsity nor the pattern that its settings require.

    >>> pattern_masks({"a": torch.tensor([[4.0, 3.0, 2.0, 1.0]])}, "1:2")["a"].tolist()
    [[True, False, True, False]]
    """
    kept, group = map(int, pattern.split(":"))
    for name, score in scores.items():
        if score.shape[1] % group:
            raise ConstrictorError(
                f"the pattern {pattern} does not fit: '{name}' has {score.shape[1]} inputs, which is no multiple of {group}. "
                "Choose a pattern whose second number divides the widths of the model's matrices, or use 'sparsity'."
            )
    return {
        name: _rows_without_lowest(score.reshape(-1, group), group - kept).view_as(score)
        for name, score in scores.items()
    }


def _rows_without_lowest(scores: Tensor, count: int) -> Tensor:
    """True for all but the lowest ``count`` scores of each row; of equal ones the first go."""
    lowest = torch.argsort(scores, dim=1, stable=True)[:, :count]
    return torch.ones_like(scores, dtype=torch.bool).scatter_(1, lowest, False)


def cubic_sparsity(final: float, progress: float, initial: float = 0.0) -> float:
    """The schedule of gradual pruning, steep at first: ``s_f + (s_i - s_f) (1 - t)^3`` (Zhu and Gupta, 2017).

    Args:
        final: sparsity at the end.
        progress: share ``t`` of the rise that is done; beyond 1 the sparsity is final.
        initial: sparsity at the start.

    >>> [round(cubic_sparsity(0.8, progress), 2) for progress in (0, 0.25, 0.5, 1, 2)]
    [0.0, 0.46, 0.7, 0.8, 0.8]
    """
    return final + (initial - final) * (1 - min(progress, 1.0)) ** 3
