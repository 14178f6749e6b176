"""The training losses. Each maps logits and targets to one loss an example."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from constrictor.data.examples import UNLABELLED

LogitLoss = Callable[[Tensor, Tensor, float], Tensor]
"""Maps the student's and the teacher's logits ``(batch, classes)`` and a temperature to ``(batch,)`` losses."""


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with the labels; zero where an example has none.

    Args:
        logits: ``(batch, classes)``.
        labels: ``(batch,)`` class numbers or :data:`~constrictor.data.examples.UNLABELLED`.

    Returns:
        ``(batch,)`` in nats.
    """
    return cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="none")


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


def logit_mse(logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean squared difference of the logits themselves (Kim et al., 2021, equation 4, as a mean over classes).

    It also copies what a softmax does not see: a shift that all logits share. The temperature plays no part.

    Returns:
        ``(batch,)`` in squared logits.

    >>> import torch
    >>> logit_mse(torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 1.0]])).tolist()
    [2.0]
    """
    return (logits - teacher_logits).square().mean(dim=-1)


def hard_target_loss(logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Cross-entropy with the teacher's answer, the class of its largest logit. The temperature plays no part.

    Returns:
        ``(batch,)`` in nats.
    """
    return cross_entropy(logits, teacher_logits.argmax(dim=-1), reduction="none")


LOGIT_LOSSES: dict[str, LogitLoss] = {"kl": soft_target_loss, "mse": logit_mse, "hard": hard_target_loss}


def distillation_loss(
    logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor,
    alpha: float,
    temperature: float,
    logit_loss: LogitLoss = soft_target_loss,
) -> Tensor:
    """``alpha * logit_loss + (1 - alpha) * label_loss``.

    The convention: ``alpha`` weighs the *teacher*. An example without a label keeps the first term alone, unchanged in
    weight, so that unlabelled text does not count for more than labelled text does.

    Args:
        logits: ``(batch, classes)`` of the student.
        labels: ``(batch,)`` class numbers or :data:`~constrictor.data.examples.UNLABELLED`.
        teacher_logits: ``(batch, classes)``.
        alpha: weight of the teacher, 0 to 1.
        temperature: T > 0.
        logit_loss: what the teacher's logits are compared by.

    Returns:
        ``(batch,)``.
    """
    taught = logit_loss(logits, teacher_logits, temperature)
    return alpha * taught + (1 - alpha) * label_loss(logits, labels)
