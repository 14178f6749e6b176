"""Tests of no difference: McNemar's, the one that belongs to an interval, and Holm's correction for several."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from constrictor.comparison.intervals import Spread

_SMALLEST = 1e-9  # no p-value is given below


def mcnemar_exact(better: int, worse: int) -> float:
    """Two-sided exact p-value that two models with the same examples are right equally often (McNemar, 1947).

    Args:
        better: examples that only the first model has right.
        worse: examples that only the second model has right.

    >>> mcnemar_exact(1, 5)
    0.21875
    """
    total = better + worse
    ways = tail = 1
    for number in range(min(better, worse)):
        ways = ways * (total - number) // (number + 1)
        tail += ways
    return min(1.0, 2 * tail / 2**total)


def p_value(difference: float, spread: Spread) -> float:
    """One minus the level of the interval around a difference that ends at 0; NaN where its variance is unknown."""
    if math.isnan(spread.examples):
        return math.nan
    low, high = math.log(_SMALLEST), 0.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if spread.half_width(1 - math.exp(middle)) > abs(difference) else (low, middle)
    return math.exp(high)


def holm(found: Sequence[float]) -> list[float]:
    """P-values corrected for their number, so that the chance of any false finding stays below the level (Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(found, kind="stable")
    raised = np.array(found)[order] * np.arange(len(found), 0, -1)
    corrected = np.empty(len(found))
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return corrected.tolist()
