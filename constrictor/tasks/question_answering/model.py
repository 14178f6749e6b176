"""The losses of a question answering model. Padding takes no part in any of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from constrictor.data.batching import UNLABELLED
from constrictor.tasks.kind import DistillationLoss, Outputs
from constrictor.tasks.losses import hard_target_loss, no_loss_weights, soft_target_loss, without_units

ENDS = ("start", "end")
_NEVER = -1e9  # the logit of padding: a probability of exactly 0, and no NaN where 0 is multiplied with its logarithm

loss_weights = no_loss_weights
standardised = without_units


def label_loss(outputs: Outputs, batch: Outputs, weights: Tensor | None = None) -> Tensor:
    """Mean of the cross-entropies of the first and the last token of the answer; zero where a window has no label.

    Args:
        outputs: ``start`` and ``end``, each ``(batch, length)``.
        batch: ``start`` and ``end`` ``(batch,)`` token numbers or :data:`~constrictor.data.batching.UNLABELLED`, and
            ``attention_mask`` ``(batch, length)``.
        weights: always None.

    Returns:
        ``(batch,)`` in nats.
    """
    losses = [
        cross_entropy(_without_padding(outputs[end], batch), batch[end], ignore_index=UNLABELLED, reduction="none")
        for end in ENDS
    ]
    return torch.stack(losses).mean(dim=0)


def _without_padding(logits: Tensor, batch: Outputs) -> Tensor:
    return logits.masked_fill(batch["attention_mask"] == 0, _NEVER)


def _of_both_ends(loss: Callable[[Tensor, Tensor, float], Tensor]) -> DistillationLoss:
    """Mean of the losses between the distributions of start and end."""

    def between(outputs: Outputs, teacher: Outputs, batch: Outputs, temperature: float) -> Tensor:
        pairs = [(_without_padding(outputs[end], batch), _without_padding(teacher[end], batch)) for end in ENDS]
        return torch.stack([loss(student, teacher, temperature) for student, teacher in pairs]).mean(dim=0)

    return between


def _logit_mse(outputs: Outputs, teacher: Outputs, batch: Outputs, temperature: float) -> Tensor:
    """Mean squared difference of the logits over the tokens of a window. The temperature plays no part."""
    mask = batch["attention_mask"]
    squares = torch.stack([(outputs[end] - teacher[end]).square() for end in ENDS]).mean(dim=0)
    return (squares * mask).sum(dim=-1) / mask.sum(dim=-1)


DISTILLATION_LOSSES: dict[str, DistillationLoss] = {
    "kl": _of_both_ends(soft_target_loss),
    "mse": _logit_mse,
    "hard": _of_both_ends(hard_target_loss),
}
