"""Metrics of a model that predicts a value."""

from __future__ import annotations

import numpy as np

from constrictor.tasks.measure import Measure, divide


def regression_measures() -> dict[str, Measure]:
    """The metrics by name."""
    return {
        "pearson": Measure(_moments, correlation, bounds=(-1.0, 1.0)),
        "spearman": Measure(_rank_moments, correlation, bounds=(-1.0, 1.0)),
        # GLUE's figure for STS-B: the mean of the two.
        "pearson_spearman": Measure(_both_moments, _mean_correlation, bounds=(-1.0, 1.0)),
        "r2": Measure(_squares, _explained, bounds=None),
    }


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs.

    >>> ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def correlation(sums: np.ndarray) -> np.ndarray:
    """Pearson's r from the sums of ``1, x, y, xx, yy, xy``; 0 where one of the two does not vary."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread = (n * xx - x**2) * (n * yy - y**2)
    # Rounding leaves a tiny spread where there is none.
    return divide(n * xy - x * y, np.sqrt(np.where(spread > 1e-12 * (n * xx) * (n * yy), spread, 0)))


def _moments(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    # Centred first: the sums of squares of values far from zero would swallow what varies.
    x, y = labels - labels.mean(), predictions - predictions.mean()
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)


def _rank_moments(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """As for the values. A resample keeps the ranks of the whole, which moves it by less than the interval is wide."""
    return _moments(ranks(labels), ranks(predictions))


def _both_moments(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    return np.concatenate([_moments(labels, predictions), _rank_moments(labels, predictions)], axis=-1)


def _mean_correlation(sums: np.ndarray) -> np.ndarray:
    return (correlation(sums[..., :6]) + correlation(sums[..., 6:])) / 2


def _squares(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    x = labels - labels.mean()
    return np.stack([np.ones_like(x), x, x * x, (predictions - labels) ** 2], axis=-1)


def _explained(sums: np.ndarray) -> np.ndarray:
    """``1 - sum (y - x)^2 / sum (x - mean x)^2``; 0 where the labels do not vary."""
    n, x, xx, squared_errors = np.moveaxis(sums, -1, 0)
    spread = xx - x**2 / n
    return np.where(spread > 0, 1 - divide(squared_errors, spread), 0.0)
