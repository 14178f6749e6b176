"""How much each example moves a metric: its influence (Hampel, 1974; Efron's infinitesimal jackknife, 1982, chapter 6).

A metric is a function of sums over the examples, so that one gradient gives the influence of all of them. Their mean is 0, and
their variance over the number of examples is the variance of the metric (the delta method).
"""

from __future__ import annotations

import numpy as np

from constrictor.tasks.measure import Measure

_STEP = 1e-5  # of a sum; the error of a central difference is then about 1e-10


def influence(measure: Measure, terms: np.ndarray) -> np.ndarray:
    """The derivative of a metric with respect to the weight of each example, times the number of examples.

    Args:
        measure: the metric.
        terms: ``(examples, terms)``.

    Returns:
        ``(examples,)``; for accuracy, by how much each example is better than the mean.
    """
    total, scale = terms.sum(axis=0), np.abs(terms).sum(axis=0)
    used = np.flatnonzero(scale)  # most of the cells of a large confusion matrix are empty
    steps = np.zeros((len(used), len(total)))
    steps[np.arange(len(used)), used] = _STEP * scale[used]
    gradient = (measure.value(total + steps) - measure.value(total - steps)) / (2 * _STEP * scale[used])
    found = len(terms) * (terms[:, used] @ gradient)
    return found - found.mean()


def deciding(influences: np.ndarray) -> float:
    """How many examples decide a metric: ``(sum u^2)^2 / sum u^4``, Kish's effective number; 0 where none has an influence.

    >>> deciding(np.array([1.0, 0.0, -1.0, 0.0]))
    2.0
    """
    squares = influences**2
    total = (squares**2).sum()
    return float(squares.sum() ** 2 / total) if total > 0 else 0.0
