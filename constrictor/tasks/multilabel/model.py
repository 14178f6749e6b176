"""The losses of a multi-label classifier."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from constrictor.tasks.kind import DistillationLoss, Outputs
from constrictor.tasks.losses import between_logits, logit_mse, no_loss_weights, without_units

loss_weights = no_loss_weights
standardised = without_units


def label_loss(outputs: Outputs, batch: Outputs, weights: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of each label's decision, the mean over the labels.

    Args:
        outputs: ``logits`` ``(batch, labels)``.
        batch: ``labels`` ``(batch, labels)`` zeros and ones, NaN where there is none.
        weights: not used.

    Returns:
        ``(batch,)`` in nats.
    """
    return _binary_loss(outputs["logits"], batch["labels"])


def _binary_loss(logits: Tensor, labels: Tensor) -> Tensor:
    losses = binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")
    return losses.where(~labels.isnan(), 0).mean(dim=-1)


def binary_soft_target_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """As :func:`soft_target_loss`, each label being a distribution over yes and no; the mean over the labels."""
    student, teacher = logits / temperature, teacher_logits / temperature
    yes = teacher.sigmoid()
    divergence = yes * (logsigmoid(teacher) - logsigmoid(student))
    divergence = divergence + (1 - yes) * (logsigmoid(-teacher) - logsigmoid(-student))
    return temperature**2 * divergence.mean(dim=-1)


def binary_hard_target_loss(logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Binary cross-entropy with the teacher's decisions, the mean over the labels. The temperature plays no part."""
    return _binary_loss(logits, (teacher_logits >= 0).to(logits.dtype))


DISTILLATION_LOSSES: dict[str, DistillationLoss] = {
    "kl": between_logits(binary_soft_target_loss),
    "mse": between_logits(logit_mse),
    "hard": between_logits(binary_hard_target_loss),
}
