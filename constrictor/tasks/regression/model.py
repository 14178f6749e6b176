"""The losses of a model that predicts a value."""

from __future__ import annotations

from torch import Tensor

from constrictor.tasks.kind import DistillationLoss, Outputs
from constrictor.tasks.losses import between_logits, logit_mse, no_loss_weights
from constrictor.tasks.regression.standardisation import standardised as standardised

loss_weights = no_loss_weights

# A value is no distribution, so there is one way to be near it.
DISTILLATION_LOSSES: dict[str, DistillationLoss] = dict.fromkeys(("kl", "mse", "hard"), between_logits(logit_mse))


def label_loss(outputs: Outputs, batch: Outputs, weights: Tensor | None = None) -> Tensor:
    """Squared error of the one output.

    Args:
        outputs: ``logits`` ``(batch, 1)``.
        batch: ``labels`` ``(batch,)`` values, NaN where there is none.
        weights: not used.

    Returns:
        ``(batch,)``.
    """
    labels = batch["labels"]
    return (outputs["logits"][:, 0] - labels.nan_to_num()).square().where(~labels.isnan(), 0)
