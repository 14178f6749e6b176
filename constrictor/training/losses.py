"""The training losses. Each maps logits and targets to one loss an example.

A target without a label (:data:`~constrictor.data.examples.UNLABELLED`, or NaN where targets are not class numbers)
costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, log_softmax, logsigmoid

from constrictor.data.examples import UNLABELLED


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy with the labels; zero where an example has none.

    Args:
        logits: ``(batch, classes)``.
        labels: ``(batch,)`` class numbers or :data:`~constrictor.data.examples.UNLABELLED`.
        weights: ``(classes,)`` factors of the classes' losses; None for ones.

    Returns:
        ``(batch,)`` in nats.
    """
    return cross_entropy(logits, labels, weight=weights, ignore_index=UNLABELLED, reduction="none")


def soft_target_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of the student from the teacher, both softened, times the squared temperature.

    ``T^2 * sum_c p_c * (log p_c - log q_c)`` with ``p = softmax(teacher / T)`` and ``q = softmax(student / T)``
    (Hinton et al., 2015, section 2). The factor keeps the size of the gradient while the temperature changes.

    Args:
        logits: ``(batch, classes)`` of the student.
        teacher_logits: ``(batch, classes)``.
        temperature: T > 0.

    Returns:
        ``(batch,)`` in nats.

    >>> import torch
    >>> soft_target_loss(torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 3.0]]), 2.0).tolist()
    [0.0]
    """
    teacher = log_softmax(teacher_logits / temperature, dim=-1)
    student = log_softmax(logits / temperature, dim=-1)
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1)


def binary_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of each label's decision, the mean over the labels.

    Args:
        logits: ``(batch, labels)``.
        labels: ``(batch, labels)`` zeros and ones, NaN where there is none.

    Returns:
        ``(batch,)`` in nats.
    """
    losses = binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")
    return losses.where(~labels.isnan(), 0).mean(dim=-1)


def binary_soft_target_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """As :func:`soft_target_loss`, each label being a distribution over yes and no; the mean over the labels."""
    student, teacher = logits / temperature, teacher_logits / temperature
    yes = teacher.sigmoid()
    divergence = yes * (logsigmoid(teacher) - logsigmoid(student))
    divergence = divergence + (1 - yes) * (logsigmoid(-teacher) - logsigmoid(-student))
    return temperature**2 * divergence.mean(dim=-1)


def squared_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Squared error of the one output.

    Args:
        logits: ``(batch, 1)``.
        labels: ``(batch,)`` values, NaN where there is none.

    Returns:
        ``(batch,)``.
    """
    return (logits[:, 0] - labels.nan_to_num()).square().where(~labels.isnan(), 0)


def squared_soft_target_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Squared distance to the teacher's value; a value has no temperature."""
    return (logits - teacher_logits).square().mean(dim=-1)


class Losses(NamedTuple):
    """The losses of a kind of problem: with the labels, and with a teacher's logits at a temperature."""

    label: Callable[[Tensor, Tensor], Tensor]
    soft_target: Callable[[Tensor, Tensor, float], Tensor]


LOSSES = {
    "classification": Losses(label_loss, soft_target_loss),
    "multilabel": Losses(binary_loss, binary_soft_target_loss),
    "regression": Losses(squared_loss, squared_soft_target_loss),
}


def distillation_loss(
    losses: Losses, logits: Tensor, labels: Tensor, teacher_logits: Tensor, alpha: float, temperature: float
) -> Tensor:
    """``alpha * soft target loss + (1 - alpha) * label loss``.

    The convention: ``alpha`` weighs the *teacher*. An example without a label keeps the first term alone, unchanged in
    weight, so that unlabelled text does not count for more than labelled text does.

    Args:
        losses: those of the task's kind.
        logits: ``(batch, outputs)`` of the student.
        labels: as the kind has them.
        teacher_logits: ``(batch, outputs)``.
        alpha: weight of the soft targets, 0 to 1.
        temperature: T > 0.

    Returns:
        ``(batch,)``.
    """
    soft = losses.soft_target(logits, teacher_logits, temperature)
    return alpha * soft + (1 - alpha) * losses.label(logits, labels)
