"""Masks that are part of a model while it trains.

A mask is a parametrization of a weight (:mod:`torch.nn.utils.parametrize`): the layer computes with ``weight * mask``, so a
zero stays zero whatever the optimiser does, and the mask is part of the ``state_dict``. A training that is resumed, and
the weights of the best epoch, therefore bring their masks with them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from constrictor.compression.pruning.masks import Scope, cubic_sparsity, sparsity_masks
from constrictor.compression.pruning.method import Pruned, sparsity_of
from constrictor.models.architecture import Matrix

RISE = 2 / 3
"""Share of the recovery fine-tuning in which the sparsity rises; in the rest the model settles."""


class Mask(nn.Module):
    """Multiplies a weight by a mask, and so its gradient too. A method defines the importance that the mask is made from."""

    kept: Tensor

    def __init__(self, weight: Tensor) -> None:
        """Start with a mask that keeps all of a weight."""
        super().__init__()
        self.register_buffer("kept", torch.ones_like(weight, dtype=torch.bool))

    def forward(self, weight: Tensor) -> Tensor:
        """The masked weight."""
        return weight * self.kept

    def importance(self, weight: Tensor) -> Tensor:
        """How much each entry of the weight, as it is behind the mask, matters now."""
        raise NotImplementedError


def mask_gradually(
    matrices: dict[str, Matrix], make: Callable[[Tensor], Mask], sparsity: float, scope: Scope
) -> Pruned:
    """Mask matrices during recovery fine-tuning: after each step to the sparsity of the cubic schedule, by the importance then.

    Args:
        matrices: the matrices, by name.
        make: makes the mask of a weight.
        sparsity: share of the weights that are zero in the end.
        scope: ``global`` ranks all matrices together, ``layer`` each by itself.
    """
    masks = {name: make(module.weight.detach()) for name, module in matrices.items()}
    for name, module in matrices.items():
        parametrize.register_parametrization(module, "weight", masks[name])

    @torch.no_grad()
    def after_step(share: float) -> None:
        importance = {
            name: mask.importance(matrices[name].get_parameter("parametrizations.weight.original"))
            for name, mask in masks.items()
        }
        for name, kept in sparsity_masks(importance, cubic_sparsity(sparsity, share / RISE), scope).items():
            masks[name].kept.copy_(kept)

    def make_permanent() -> None:
        for module in matrices.values():
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)

    return Pruned(lambda: sparsity_of(matrices), after_step=after_step, settled=RISE, finish=make_permanent)
