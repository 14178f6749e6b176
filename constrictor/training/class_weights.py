"""How much each class counts in the label loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from constrictor.data.examples import UNLABELLED
from constrictor.errors import ConstrictorError, nearest


def weights_of_classes(
    wanted: Literal["balanced"] | Mapping[str, float] | None, labels: np.ndarray, names: Sequence[str]
) -> Tensor | None:
    """The weight of each class.

    Args:
        wanted: `balanced` for ``n / (classes * count)`` (King and Zeng, 2001), or weights by class, 1 where none is given.
        labels: class numbers of all training rows, or :data:`~constrictor.data.examples.UNLABELLED`.
        names: the classes.

    Returns:
        ``(classes,)`` float32; None where all count the same.

    Raises:
        ConstrictorError: if a class is none of the task's.
    """
    if wanted is None:
        return None
    if wanted == "balanced":
        counts = np.bincount(labels[labels != UNLABELLED], minlength=len(names))
        # A class without an example has no row to weigh.
        return torch.from_numpy((counts.sum() / (len(names) * np.maximum(counts, 1))).astype(np.float32))
    assert isinstance(wanted, Mapping)
    for name in wanted:
        if name not in names:
            raise ConstrictorError(f"'class_weights': the task has no class '{name}'. {nearest(name, names)}")
    return torch.tensor([wanted.get(name, 1.0) for name in names], dtype=torch.float32)
