"""Ask a model that was exported for one batch size and length, whatever the batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from constrictor.data.batching import Batch
from constrictor.errors import ConstrictorError


def in_fixed_shape(predict: Callable[[Batch], np.ndarray], batch: Batch, shape: tuple[int, int]) -> np.ndarray:
    """Logits of a batch from a model that takes one shape only: the batch is padded, cut into pieces and put together.

    Args:
        predict: maps a batch of exactly ``shape`` to ``(rows, classes)`` logits.
        batch: arrays, each ``(any, at most the fixed length)``.
        shape: batch size and length of the model.

    Returns:
        ``(any, classes)``.

    Raises:
        ConstrictorError: if the batch is longer than the model takes.
    """
    rows, length = shape
    total, longest = batch["input_ids"].shape
    if longest > length:
        raise ConstrictorError(f"the model was exported for texts of {length} tokens and this batch has {longest}.")
    # The last text fills up the rows: int8 takes its ranges from all of them, so they should look like text.
    even = {name: np.pad(values, ((0, -total % rows), (0, 0)), mode="edge") for name, values in batch.items()}
    even = {name: np.pad(values, ((0, 0), (0, length - longest))) for name, values in even.items()}
    pieces = range(0, total, rows)
    return np.concatenate(
        [predict({name: values[start : start + rows] for name, values in even.items()}) for start in pieces]
    )[:total]
