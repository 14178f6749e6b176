"""The training losses. Each maps logits and targets to one loss an example."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

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


def distillation_loss(
    logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor,
    alpha: float,
    temperature: float,
    weights: Tensor | None = None,
) -> Tensor:
    """``alpha * soft_target_loss + (1 - alpha) * label_loss``.

    The convention: ``alpha`` weighs the *teacher*. An example without a label keeps the first term alone, unchanged in
    weight, so that unlabelled text does not count for more than labelled text does.

    Args:
        logits: ``(batch, classes)`` of the student.
        labels: ``(batch,)`` class numbers or :data:`~constrictor.data.examples.UNLABELLED`.
        teacher_logits: ``(batch, classes)``.
        alpha: weight of the soft targets, 0 to 1.
        temperature: T > 0.
        weights: ``(classes,)`` factors of the classes' label losses; None for ones.

    Returns:
        ``(batch,)`` in nats.
    """
    soft = soft_target_loss(logits, teacher_logits, temperature)
    return alpha * soft + (1 - alpha) * label_loss(logits, labels, weights)
