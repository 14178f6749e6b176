"""95 % intervals of a metric over the examples and, with several seeds, over the trainings too.

The examples are crossed with the trainings: all models of a task are tested on the same examples, and each seed trains models
of its own. The variance over the examples is that of the influences (:mod:`~constrictor.comparison.influence`), averaged over
the seeds. With one seed it is all there is, and the interval holds for these trained models. With more, the spread of the
seeds' metrics is the second source, known from few of them only. The half-width is

    sqrt(z² E + t² T · T / (T + E / 4d))

where E is the variance over the examples alone, T the variance of the mean over the trainings (with what belongs to one
training and one example), z the normal and t Student's quantile with d degrees of freedom, one fewer than there are seeds.
Without the last factor this is Banerjee's interval (1960), which covers at least its level; the factor takes back what that
covers too much where the trainings hardly differ. The two variances are those of a crossed design with random rows and columns
(Searle, Casella and McCulloch, 1992, chapter 4; for models and cases Obuchowski and Rockette, 1995).

For a metric with two bounds, what the examples contribute is not ``z sqrt(E)`` on both sides but reaches as far as Wilson's
interval (1927) with the number of examples that the variance is worth, as in surveys (Korn and Graubard, 1998); for the
accuracy of one model this is Wilson's interval itself. The two sources are added in squares on each side (Zou and Donner, 2008).
``docs/statistics.md`` has the simulated coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from constrictor.comparison.influence import deciding, influence
from constrictor.student_t import normal_quantile, t_quantile
from constrictor.tasks.measure import Measure

LEVEL = 0.95
_FEWEST = 5  # deciding examples below which their influences do not show the variance


class Interval(NamedTuple):
    """An estimate with its 95 % interval.

    Attributes:
        value: the estimate.
        low: NaN where too few examples decide to know.
        high: NaN where too few examples decide to know.
        few: whether too few examples decide. An interval that is given nevertheless covers more than 95 %.
    """

    value: float
    low: float
    high: float
    few: bool = False


class Replicated(NamedTuple):
    """A model's predictions in all replicates, and what is right.

    Attributes:
        labels: ``(examples, ...)`` as the task's kind has them.
        predictions: ``(replicates, examples, ...)``.
    """

    labels: np.ndarray
    predictions: np.ndarray


@dataclass(frozen=True)
class Scores:
    """A metric of a model, and what each example contributes to it.

    Attributes:
        labels: ``(examples, ...)`` as the task's kind has them.
        values: ``(replicates,)`` the metric.
        influences: ``(replicates, examples)``.
        right: ``(replicates, examples)`` of 0 and 1 where the metric is the share of right examples; otherwise None.
        bounds: of the metric; None where it has none.
        over_trainings: whether intervals are over the trainings, of which the replicates are a sample, or for these models.
    """

    labels: np.ndarray
    values: np.ndarray
    influences: np.ndarray
    right: np.ndarray | None
    bounds: tuple[float, float] | None
    over_trainings: bool

    @property
    def value(self) -> float:
        """The mean over the replicates."""
        return float(self.values.mean())

    @property
    def is_one_share(self) -> bool:
        """Whether the metric is a share of right examples of a single model."""
        return self.right is not None and len(self.values) == 1

    @cached_property
    def few(self) -> bool:
        """Whether too few examples decide."""
        return deciding(self.influences.mean(axis=0)) < _FEWEST

    @property
    def largest(self) -> float:
        """By how much one example can move the metric, times the number of examples; NaN where too few show it."""
        if self.right is not None:
            return 1.0
        return math.nan if self.few else float(np.ptp(self.influences, axis=1).max())


def scores(measure: Measure, found: Replicated, over_trainings: bool = True) -> Scores:
    """A metric of a model's predictions.

    Args:
        measure: the metric.
        found: the predictions.
        over_trainings: whether intervals are to be over the trainings; of a single replicate they never are.
    """
    terms = [np.asarray(measure.terms(found.labels, predictions), np.float64) for predictions in found.predictions]
    return Scores(
        found.labels,
        np.array([measure.value(part.sum(axis=0)) for part in terms]),
        np.stack([influence(measure, part) for part in terms]),
        np.stack([measure.right(part) for part in terms]) if measure.right else None,
        measure.bounds,
        over_trainings and len(terms) > 1,
    )


class Spread(NamedTuple):
    """The variance of an estimate.

    Attributes:
        examples: variance over the examples.
        trainings: variance over the trainings; 0 where these are not drawn.
        df: degrees of freedom of the latter.
    """

    examples: float
    trainings: float = 0.0
    df: int = 0

    def half_widths(self, level: float = LEVEL) -> tuple[float, float]:
        """What the examples and the trainings contribute to the half-width of the interval that holds ``level``."""
        examples = normal_quantile(level) * math.sqrt(self.examples)
        if self.trainings == 0:
            return examples, 0.0
        damped = self.trainings / math.sqrt(self.trainings + self.examples / (4 * self.df))
        return examples, t_quantile(self.df, level) * damped

    def half_width(self, level: float = LEVEL) -> float:
        """Half of the width of a symmetric interval that holds ``level``."""
        return math.hypot(*self.half_widths(level))


def spread(values: np.ndarray, influences: np.ndarray, over_trainings: bool) -> Spread:
    """The variances of the mean of a metric, or of a difference.

    Args:
        values: ``(replicates,)``.
        influences: ``(replicates, examples)``.
        over_trainings: whether the replicates are a sample of the trainings.
    """
    seeds, examples = influences.shape
    mean = influences.mean(axis=0)
    # The variance of few deciding examples is estimated too low.
    both = (mean**2).sum() / (examples * (examples - 1)) * (1 + 1 / max(deciding(mean), 1.0))
    if not over_trainings:
        return Spread(both)
    own = ((influences - mean) ** 2).sum() / (examples * (examples - 1) * seeds * (seeds - 1))
    return Spread(max(both - own, 0.0), float(np.var(values, ddof=1)) / seeds, seeds - 1)


def interval(found: Scores) -> Interval:
    """A metric with its interval."""
    examples = found.influences.shape[1]
    variances = spread(found.values, found.influences, found.over_trainings)
    if found.is_one_share or (found.few and found.right is not None):
        # Of several models' shares this is the largest that it can be.
        variances = variances._replace(examples=found.value * (1 - found.value) / examples)
    elif found.few:
        return Interval(found.value, math.nan, math.nan, few=True)
    below, above = _distances(found, *variances.half_widths())
    return Interval(found.value, found.value - below, found.value + above, few=found.few and not found.is_one_share)


def _distances(found: Scores, examples: float, trainings: float) -> tuple[float, float]:
    """How far an interval reaches below and above a metric, from what examples and trainings contribute to its half-width."""
    if found.bounds is None:
        return (math.hypot(examples, trainings),) * 2
    low, high = found.bounds
    ends = _wilson((found.value - low) / (high - low), examples / (high - low), found.influences.shape[1])
    rooms = (found.value - low, high - found.value)
    below, above = (min(math.hypot((high - low) * end, trainings), room) for end, room in zip(ends, rooms, strict=True))
    return below, above


def _wilson(share: float, half: float, examples: int) -> tuple[float, float]:
    """How far Wilson's interval reaches below and above a share, for a symmetric interval of a half-width."""
    rest = share * (1 - share)
    # z² over the number of examples that the half-width is worth
    odds = half**2 / rest if half and rest > 0 else normal_quantile(LEVEL) ** 2 / examples
    middle, reach = (share + odds / 2) / (1 + odds), math.sqrt(half**2 + odds**2 / 4) / (1 + odds)
    return share - middle + reach, middle + reach - share
