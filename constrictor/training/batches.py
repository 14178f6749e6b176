"""Batches of similar length: little padding, and an order that depends on seed and epoch only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from constrictor.data.batching import Encoded, pad


class RowNumbers(Dataset[int]):
    """A data set of row numbers: the collator fetches what belongs to them."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, row: int) -> int:
        return row


class LengthBuckets(Sampler[int]):
    """Row numbers in an order whose consecutive batches hold texts of one length, the batches shuffled.

    Rows of the same length meet in a new composition every epoch. An incomplete batch comes last, since the loader
    cuts the order into batches by counting. Set ``epoch`` before each pass. (It is no ``set_epoch`` method on purpose:
    after a resumption, accelerate's wrappers would call it with a count of their own.)
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self.seed, self.epoch])
        order = np.lexsort((generator.random(len(self.lengths)), self.lengths))
        full = len(order) // self.batch_size * self.batch_size
        # The rows that fill no batch are taken from all lengths, not always from the longest.
        left_over = np.sort(generator.permutation(len(order))[full:]) if full < len(order) else np.empty(0, dtype=int)
        batches = np.delete(order, left_over)[:full].reshape(-1, self.batch_size)
        yield from generator.permutation(batches).ravel().tolist()
        yield from order[left_over].tolist()


class Collator:
    """Turns row numbers into one padded batch of tensors."""

    def __init__(self, encoded: Encoded, pad_id: int, **targets: np.ndarray | list[np.ndarray]) -> None:
        """Hold the data.

        Args:
            encoded: every row in tokens.
            pad_id: id of the padding token.
            targets: one entry a row, such as ``labels`` or ``teacher_logits``: arrays, or per token lists of arrays, which are
                filled up with zeros.
        """
        self.encoded = encoded
        self.pad_id = pad_id
        self.targets = targets

    def __call__(self, rows: list[int]) -> dict[str, torch.Tensor]:
        """One batch: token ids, their mask and the targets."""
        batch = pad([self.encoded[row] for row in rows], self.pad_id)
        length = batch["input_ids"].shape[1]
        for name, values in self.targets.items():
            batch[name] = (
                _filled_up([values[row] for row in rows], length) if isinstance(values, list) else values[rows]
            )
        return {name: torch.from_numpy(values) for name, values in batch.items()}


def _filled_up(values: list[np.ndarray], length: int) -> np.ndarray:
    """Numbers a token as one array ``(rows, length)``, with zeros at padding."""
    return np.stack([np.pad(row, (0, length - len(row))) for row in values])
