"""Paired differences between models: interval, p-value, and the smallest difference that could have been detected."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from constrictor.comparison.influence import deciding
from constrictor.comparison.intervals import Scores, Spread, spread
from constrictor.comparison.significance import mcnemar_exact, p_value

_FEWEST = 8  # deciding examples; more than for a metric, whose interval need not be symmetric
_POWER = 0.8  # with which a difference of the size that is called detectable is found


class Difference(NamedTuple):
    """How much better a model is than another, with the 95 % interval.

    Attributes:
        value: the difference.
        low: NaN where too few examples decide to know.
        high: NaN where too few examples decide to know.
        few: whether too few examples decide. An interval that is given nevertheless covers more than 95 %.
        p: two-sided p-value of no difference; NaN where it is unknown.
        p_holm: the same, corrected for all comparisons of a report.
        detectable: the smallest difference that would be found with a probability of 80 %.
    """

    value: float
    low: float
    high: float
    few: bool = False
    p: float = math.nan
    p_holm: float = math.nan
    detectable: float = math.nan


def paired_difference(model: Scores, baseline: Scores) -> Difference:
    """How much better a model is than a baseline on the same examples.

    The difference is taken seed by seed and example by example, so that what both have in common does not count: the
    examples, and the training where one is made from the other.

    Raises:
        ValueError: if the two are not for the same examples.
    """
    if not np.array_equal(model.labels, baseline.labels):
        raise ValueError("a paired comparison needs the same examples in the same order")
    values, influences = model.values - baseline.values, model.influences - baseline.influences
    variances = spread(values, influences, model.over_trainings)
    few = deciding(influences.mean(axis=0)) < _FEWEST
    if few:
        variances = variances._replace(examples=_cautious(influences, max(model.largest, baseline.largest)))
    value, half = float(values.mean()), variances.half_width()
    return Difference(
        value, value - half, value + half, few,
        p=_p_value(model, baseline, value, variances),
        detectable=half + variances.half_width(2 * _POWER - 1),
    )  # fmt: skip


def _cautious(influences: np.ndarray, largest: float) -> float:
    """The variance of a difference that hardly any example decides: as if one more decided for either side.

    For accuracy and one seed the interval is that of Bonett and Price (2012).
    """
    seeds, examples = influences.shape
    return float(((influences.mean(axis=0) ** 2).sum() + 2 * largest**2 / seeds) / (examples + 2) ** 2)


def _p_value(model: Scores, baseline: Scores, value: float, variances: Spread) -> float:
    """McNemar's exact test for the shares of right examples of two models; otherwise the test that belongs to the interval."""
    if model.right is not None and baseline.right is not None and model.is_one_share:
        return mcnemar_exact(int((model.right > baseline.right).sum()), int((model.right < baseline.right).sum()))
    return p_value(value, variances)
