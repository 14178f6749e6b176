"""Run a model that was exported for one batch size and length on any batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from constrictor.data.batching import Arrays, Batch
from constrictor.errors import ConstrictorError


def in_fixed_shape(predict: Callable[[Batch], Arrays], batch: Batch, shape: tuple[int, int], pad_id: int) -> Arrays:
    """Outputs for a batch from a model of one shape only: the batch is padded, split into pieces and put together.

    Args:
        predict: maps a batch of exactly ``shape`` to arrays ``(rows, ...)``.
        batch: arrays, each ``(any, at most the fixed length)``.
        shape: batch size and length of the model.
        pad_id: id of the padding token.

    Returns:
        By name ``(any, ...)``.

    Raises:
        ConstrictorError: if the batch is longer than the model's inputs.
    """
    rows, total = shape[0], len(batch["input_ids"])
    even = fill_up(batch, shape, pad_id)
    pieces = [
        predict({name: values[start : start + rows] for name, values in even.items()})
        for start in range(0, total, rows)
    ]
    return {name: np.concatenate([piece[name] for piece in pieces])[:total] for name in pieces[0]}


def fill_up(batch: Batch, shape: tuple[int, int], pad_id: int) -> Batch:
    """A batch whose rows are a multiple of a model's batch size, and as long as its inputs.

    Raises:
        ConstrictorError: if the batch is longer than the model's inputs.
    """
    rows, length = shape
    total, longest = batch["input_ids"].shape
    if longest > length:
        raise ConstrictorError(f"the model was exported for inputs of {length} tokens and this batch has {longest}.")
    # The last input fills up the rows: int8 takes its ranges from all of them, so they should resemble inputs.
    even = {name: np.pad(values, ((0, -total % rows), (0, 0)), mode="edge") for name, values in batch.items()}
    fill = {"input_ids": pad_id}
    return {
        name: np.pad(values, ((0, 0), (0, length - longest)), constant_values=fill.get(name, 0))
        for name, values in even.items()
    }
