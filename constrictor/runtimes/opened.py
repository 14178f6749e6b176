"""An open model, whatever its format."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from constrictor.data.batching import Arrays, Batch

Predict = Callable[[Batch], Arrays]
"""Maps a batch to outputs ``(batch, ...)`` by name, float32."""


def _unknown(batch: Batch) -> None:
    return None


class Opened(NamedTuple):
    """What every runtime makes of a file or a model in memory.

    Attributes:
        predict: maps a batch to its outputs.
        first_not_finite: the first part of the model whose output for a batch is not finite, by name; None where the
            runtime does not show what is inside.
    """

    predict: Predict
    first_not_finite: Callable[[Batch], str | None] = _unknown
