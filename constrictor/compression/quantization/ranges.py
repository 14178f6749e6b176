"""Which range of an activation to quantize, chosen from its histogram: all of it, or less of it in finer steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Range = tuple[float, float]

PERCENTILE = 0.99999
LEVELS = 256


def minmax_range(counts: np.ndarray, edges: np.ndarray) -> Range:
    """All that was seen.

    Args:
        counts: ``(bins,)`` values in each bin.
        edges: ``(bins + 1,)`` limits of the bins, rising evenly from the smallest value to the largest.
    """
    return float(edges[0]), float(edges[-1])


def percentile_range(counts: np.ndarray, edges: np.ndarray, share: float = PERCENTILE) -> Range:
    """The range that leaves out the same small share of values at both ends, to the precision of a bin.

    Args:
        counts: ``(bins,)`` values in each bin.
        edges: ``(bins + 1,)`` limits of the bins.
        share: share of the values inside.

    >>> percentile_range(np.array([1, 98, 1]), np.array([0.0, 1.0, 2.0, 3.0]), share=0.98)
    (1.0, 2.0)
    """
    outside = (1 - share) / 2 * counts.sum()
    below = np.concatenate([[0], np.cumsum(counts)])  # values below each edge
    above = below[-1] - below
    low = np.flatnonzero(below <= outside + 1e-9)[-1]
    high = np.flatnonzero(above <= outside + 1e-9)[0]
    return float(edges[low]), float(edges[high])


def entropy_range(counts: np.ndarray, edges: np.ndarray, levels: int = LEVELS, candidates: int = 64) -> Range:
    """The range whose rounded distribution diverges least from the real one (Migacz, 2017, "8-bit inference").

    For limits -t and t, cut to what was seen: P is the histogram inside, with what lies outside counted in the outermost
    bins; Q is the histogram inside, averaged within each of the levels over the bins that are not empty. The range with
    the smallest KL(P || Q) is taken; of equal ones the widest.

    Args:
        counts: ``(bins,)`` values in each bin.
        edges: ``(bins + 1,)`` limits of the bins.
        levels: quantization levels.
        candidates: number of limits tried, evenly from the largest value down; there is at least one bin a level.
    """
    largest = max(abs(edges[0]), abs(edges[-1]))
    best, found = np.inf, (0, len(counts))
    for limit in np.linspace(largest, 0, candidates, endpoint=False):
        first, end = np.searchsorted(edges, -limit), np.searchsorted(edges, limit, side="right") - 1
        if end - first < levels:
            break
        divergence = _divergence(counts, first, end, levels)
        if divergence < best:
            best, found = divergence, (first, end)
    return float(edges[found[0]]), float(edges[found[1]])


def _divergence(counts: np.ndarray, first: int, end: int, levels: int) -> float:
    """KL(P || Q) of the bins from one up to another."""
    inside = counts[first:end].astype(np.float64)
    p = inside.copy()
    p[0] += counts[:first].sum()
    p[-1] += counts[end:].sum()
    level = np.arange(len(p)) * levels // len(p)
    filled = p > 0
    members = np.bincount(level, filled, minlength=levels)
    mass = np.bincount(level, inside, minlength=levels)
    q = np.where(filled, (mass / np.maximum(members, 1))[level], 0.0)
    q[filled & (q == 0)] = 0.5  # a level that only outliers reach
    p, q = p[filled] / p.sum(), q[filled] / q.sum()
    return float((p * np.log(p / q)).sum())


RANGES: dict[str, Callable[[np.ndarray, np.ndarray], Range]] = {
    "minmax": minmax_range,
    "percentile": percentile_range,
    "entropy": entropy_range,
}
"""By their names in a step's settings."""
