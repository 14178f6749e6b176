"""Losses between two sets of logits, which several kinds share. Each maps to one loss an example."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax
from transformers import PreTrainedModel

from constrictor.data.batching import RawOutputs
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.kind import DistillationLoss, Outputs


def between_logits(loss: Callable[[Tensor, Tensor, float], Tensor]) -> DistillationLoss:
    """A loss of outputs from one of logits."""

    def between(outputs: Outputs, teacher: Outputs, batch: Outputs, temperature: float) -> Tensor:
        return loss(outputs["logits"], teacher["logits"], temperature)

    return between


def no_loss_weights(wanted: Any, targets: RawOutputs, record: TaskRecord) -> None:
    """Refuse weights of classes, for the kinds that have none.

    Raises:
        ConstrictorError: if there are any.
    """
    if wanted is not None:
        raise ConstrictorError(
            f"'class_weights' are for tasks of one class an example, and this one is '{record.kind}'. Leave the key out."
        )


def without_units(model: PreTrainedModel, targets: RawOutputs, *, new_head: bool) -> AbstractContextManager[float]:
    """Leave the head as it is, for the kinds whose logits have no unit."""
    return nullcontext(1.0)


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
    """Cross-entropy with the class of the teacher's largest logit. The temperature plays no part.

    Returns:
        ``(batch,)`` in nats.
    """
    return cross_entropy(logits, teacher_logits.argmax(dim=-1), reduction="none")
