"""Decision thresholds, chosen on validation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def best_threshold(scores: np.ndarray, truth: np.ndarray, metric: Callable[[np.ndarray], np.ndarray]) -> float:
    """The decision threshold (positive at and above it) that maximizes a metric.

    All thresholds between two neighbouring scores give the same predictions, so only their middles are tried, and 0.5; of
    equally good ones the one nearest to 0.5 is taken.

    Args:
        scores: ``(examples,)`` probabilities of a yes.
        truth: ``(examples,)`` booleans.
        metric: maps ``(..., 2, 2)`` counts, true class first, to ``(...)`` values.

    Returns:
        A probability; 0 always predicts positive, and more than 1 never.

    >>> best_threshold(np.array([0.1, 0.2, 0.4]), np.array([False, True, True]), lambda c: c[..., 0, 0] + c[..., 1, 1])
    0.15000000000000002
    """
    levels = np.unique(scores)
    candidates = np.concatenate([[0.0], (levels[:-1] + levels[1:]) / 2, [0.5, np.nextafter(1.0, 2.0)]])
    yes, no = np.sort(scores[truth]), np.sort(scores[~truth])
    missed, spared = (np.searchsorted(part, candidates, side="left") for part in (yes, no))
    counts = np.stack([spared, len(no) - spared, missed, len(yes) - missed], axis=-1).reshape(-1, 2, 2)
    values = metric(counts)
    best = candidates[values >= values.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])
