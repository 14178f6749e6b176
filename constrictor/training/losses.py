"""The training losses. Each maps logits and targets to one loss an example.

A target without a label (:data:`~constrictor.data.examples.UNLABELLED`, or NaN where targets are not class numbers)
costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, log_softmax, logsigmoid

from constrictor.data.examples import UNLABELLED

LabelLoss = Callable[[Tensor, Tensor], Tensor]
"""Maps logits ``(batch, outputs)`` and labels, as the kind of problem has them, to ``(batch,)`` losses."""

LogitLoss = Callable[[Tensor, Tensor, float], Tensor]
"""Maps the student's and the teacher's logits ``(batch, outputs)`` and a temperature to ``(batch,)`` losses."""


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


def binary_hard_target_loss(logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Binary cross-entropy with the teacher's decisions, the mean over the labels. The temperature plays no part."""
    return binary_loss(logits, (teacher_logits >= 0).to(logits.dtype))


def squared_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Squared error of the one output.

    Args:
        logits: ``(batch, 1)``.
        labels: ``(batch,)`` values, NaN where there is none.

    Returns:
        ``(batch,)``.
    """
    return (logits[:, 0] - labels.nan_to_num()).square().where(~labels.isnan(), 0)


LABEL_LOSSES: dict[str, LabelLoss] = {
    "classification": label_loss,
    "multilabel": binary_loss,
    "regression": squared_loss,
}
"""The loss with the labels, by the kind of problem."""

LOGIT_LOSSES: dict[str, dict[str, LogitLoss]] = {
    "classification": {"kl": soft_target_loss, "mse": logit_mse, "hard": hard_target_loss},
    "multilabel": {"kl": binary_soft_target_loss, "mse": logit_mse, "hard": binary_hard_target_loss},
    # A value is no distribution, so there is one way to be near it.
    "regression": {"kl": logit_mse, "mse": logit_mse, "hard": logit_mse},
}
"""The losses with a teacher's logits, by the kind of problem and the name that a step gives them."""


def distillation_loss(
    logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor,
    alpha: float,
    temperature: float,
    of_teacher: LogitLoss = soft_target_loss,
    of_labels: LabelLoss = label_loss,
) -> Tensor:
    """``alpha * of_teacher + (1 - alpha) * of_labels``.

    The convention: ``alpha`` weighs the *teacher*. An example without a label keeps the first term alone, unchanged in
    weight, so that unlabelled text does not count for more than labelled text does.

    Args:
        logits: ``(batch, outputs)`` of the student.
        labels: as the kind of problem has them.
        teacher_logits: ``(batch, outputs)``.
        alpha: weight of the teacher, 0 to 1.
        temperature: T > 0.
        of_teacher: what the teacher's logits are compared by.
        of_labels: what the labels are compared by.

    Returns:
        ``(batch,)``.
    """
    taught = of_teacher(logits, teacher_logits, temperature)
    return alpha * taught + (1 - alpha) * of_labels(logits, labels)
