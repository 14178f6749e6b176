"""The losses of a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from constrictor.data.batching import UNLABELLED, RawOutputs
from constrictor.errors import ConstrictorError, nearest
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.kind import DistillationLoss, Outputs
from constrictor.tasks.losses import between_logits, hard_target_loss, logit_mse, soft_target_loss, without_units

standardised = without_units

DISTILLATION_LOSSES: dict[str, DistillationLoss] = {
    "kl": between_logits(soft_target_loss),
    "mse": between_logits(logit_mse),
    "hard": between_logits(hard_target_loss),
}


def label_loss(outputs: Outputs, batch: Outputs, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy with the labels; zero where an example has none.

    Args:
        outputs: ``logits`` ``(batch, classes)``.
        batch: ``labels`` ``(batch,)`` class numbers or :data:`~constrictor.data.batching.UNLABELLED`.
        weights: ``(classes,)`` factors of the classes' losses; None for ones.

    Returns:
        ``(batch,)`` in nats.
    """
    return cross_entropy(outputs["logits"], batch["labels"], weight=weights, ignore_index=UNLABELLED, reduction="none")


def loss_weights(wanted: Any, targets: RawOutputs, record: TaskRecord) -> Tensor | None:
    """The weight of each class.

    Args:
        wanted: `balanced` for ``n / (classes * count)`` (King and Zeng, 2001), or weights by class, 1 where none is given.
        targets: of all training examples; `labels` are class numbers or :data:`~constrictor.data.batching.UNLABELLED`.
        record: the task.

    Returns:
        ``(classes,)`` float32; None where all count the same.

    Raises:
        ConstrictorError: if a class is none of the task's.
    """
    names, labels = record.labels, np.asarray(targets["labels"])
    if wanted is None:
        return None
    if wanted == "balanced":
        counts = np.bincount(labels[labels != UNLABELLED], minlength=len(names))
        # A class without an example has no loss to weigh.
        return torch.from_numpy((counts.sum() / (len(names) * np.maximum(counts, 1))).astype(np.float32))
    assert isinstance(wanted, Mapping)
    for name in wanted:
        if name not in names:
            raise ConstrictorError(f"'class_weights': the task has no class '{name}'. {nearest(name, names)}")
    return torch.tensor([wanted.get(name, 1.0) for name in names], dtype=torch.float32)
