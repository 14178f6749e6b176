"""Ranges of activations from what calibration saw: all of it, or with the tails cut where that rounds the rest more finely.

Everything is streamed: a first pass over the examples finds the extremes of a tensor, a second one counts its values in
bins between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BINS = 4096
LEVELS = 256
# Of all values, this share may lie outside the range, half of it on each side.
TAILS = 1e-4
# How many ranges the entropy method tries.
CANDIDATES = 64


@dataclass
class Observed:
    """What was seen of one tensor: extremes, then counts in :data:`BINS` equal bins between them."""

    low: float = 0.0
    high: float = 0.0
    counts: np.ndarray | None = None

    def extend(self, values: np.ndarray) -> None:
        """First pass: widen the extremes. They always hold zero, so that zero is exact."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def count(self, values: np.ndarray) -> None:
        """Second pass: count values in bins."""
        found = np.histogram(values, BINS, (self.low, self.high))[0]
        self.counts = found if self.counts is None else self.counts + found


def extreme_range(seen: Observed) -> tuple[float, float]:
    """All that was seen."""
    return seen.low, seen.high


def percentile_range(seen: Observed) -> tuple[float, float]:
    """The range without :data:`TAILS` of the values, exact to the width of a bin; it still holds zero."""
    assert seen.counts is not None
    share = np.cumsum(seen.counts) / seen.counts.sum()
    edges = np.linspace(seen.low, seen.high, BINS + 1)
    low = edges[np.searchsorted(share, TAILS / 2, side="right")]
    high = edges[np.searchsorted(share, 1 - TAILS / 2) + 1]
    return min(0.0, float(low)), max(0.0, float(high))


def entropy_range(seen: Observed) -> tuple[float, float]:
    """The range whose rounded values are distributed most like the values (Migacz, 8-bit inference with TensorRT, 2017).

    Tried are ``[-t, t]``, cut to the extremes, for falling ``t``; the least Kullback-Leibler divergence wins.
    """
    assert seen.counts is not None
    edges = np.linspace(seen.low, seen.high, BINS + 1)
    largest = max(-seen.low, seen.high)
    best, least = (seen.low, seen.high), np.inf
    for limit in largest * np.linspace(1, 1 / 16, CANDIDATES):
        start = int(np.searchsorted(edges, -limit, side="right")) - 1 if -limit > seen.low else 0
        end = int(np.searchsorted(edges, limit)) if limit < seen.high else BINS
        if end - start < 2 * LEVELS:
            break
        divergence = rounding_divergence(seen.counts, start, end)
        if divergence < least:
            best, least = (float(edges[start]), float(edges[end])), divergence
    return best


def rounding_divergence(counts: np.ndarray, start: int, end: int) -> float:
    """Kullback-Leibler divergence, in nats, of a distribution from its rounding to :data:`LEVELS` levels in a window.

    Args:
        counts: ``(bins,)`` values a bin.
        start: first bin of the window.
        end: bin after its last; what lies outside is clipped to the window's ends.

    Returns:
        Infinity where no value lies in the window.
    """
    inside = counts[start:end].astype(float)
    if not inside.any():
        return math.inf
    clipped = inside.copy()
    clipped[0] += counts[:start].sum()
    clipped[-1] += counts[end:].sum()
    level = np.arange(len(inside)) * LEVELS // len(inside)
    seen = clipped > 0
    # The values of a level can no longer be distinguished: they spread evenly over those of its bins that had any.
    mean = np.bincount(level, inside, LEVELS) / np.maximum(np.bincount(level, seen, LEVELS), 1)
    rounded = np.where(seen, mean[level], 0)
    p, q = clipped[seen] / clipped.sum(), np.maximum(rounded[seen], 1e-4) / rounded.sum()
    return float((p * np.log(p / q)).sum())


Choice = Callable[[Observed], tuple[float, float]]

RANGES: dict[str, Choice] = {"minmax": extreme_range, "percentile": percentile_range, "entropy": entropy_range}
"""By their names in a step's settings."""


def passes(choose: Choice) -> list[Callable[[Observed, np.ndarray], None]]:
    """What to do with a tensor's values in each pass over the examples; the extremes need no second one."""
    return [Observed.extend] if choose is extreme_range else [Observed.extend, Observed.count]
