"""Bootstrap intervals of a metric and of paired differences (Efron and Tibshirani, 1993, chapter 16).

Examples are drawn with replacement, and the same draw is used for every model, so that a difference is taken example by
example. Replicates share their test examples: a draw takes an example in all of them, and the metric is their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from constrictor.tasks.measure import Measure

_CHUNK = 10_000_000  # numbers in memory at a time


class Interval(NamedTuple):
    """An estimate with its 95 % percentile interval."""

    value: float
    low: float
    high: float


class Replicated(NamedTuple):
    """A model's predictions in all replicates, and what is right.

    Attributes:
        labels: ``(examples, ...)`` as the task's kind has them.
        predictions: ``(replicates, examples, ...)``.
    """

    labels: np.ndarray
    predictions: np.ndarray


def interval(measure: Measure, found: Replicated, resamples: int, seed: int = 0) -> Interval:
    """A metric with its interval.

    Args:
        measure: the metric.
        found: a model's predictions.
        resamples: number of draws.
        seed: seed of the draws; the same seed gives the same draws.
    """
    return _bootstrap(lambda weights: _values(measure, found, weights), len(found.labels), resamples, seed)


def paired_difference(
    measure: Measure, model: Replicated, baseline: Replicated, resamples: int, seed: int = 0
) -> Interval:
    """How much better a model is than a baseline on the same examples, with the interval of the difference.

    Args:
        measure: the metric.
        model: the model's predictions.
        baseline: the baseline's predictions for the same examples in the same order.
        resamples: number of draws.
        seed: seed of the draws; the same seed gives the same draws.

    Raises:
        ValueError: if the two are not for the same examples.
    """
    if not np.array_equal(model.labels, baseline.labels):
        raise ValueError("a paired comparison needs the same examples in the same order")

    def differences(weights: np.ndarray) -> np.ndarray:
        return _values(measure, model, weights) - _values(measure, baseline, weights)

    return _bootstrap(differences, len(model.labels), resamples, seed)


def _bootstrap(values: Callable[[np.ndarray], np.ndarray], examples: int, resamples: int, seed: int) -> Interval:
    """The value of all examples, with the interval of the values ``(draws,)`` of weights ``(draws, examples)``."""
    value = float(values(np.ones((1, examples)))[0])
    draws = np.concatenate([values(weights) for weights in _weights(examples, resamples, seed)])
    return Interval(value, *np.percentile(draws, [2.5, 97.5]).tolist())


def _weights(examples: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each draw takes each example, ``(draws, examples)``, in chunks that fit into memory."""
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // examples)
    for start in range(0, resamples, chunk):
        draws = min(chunk, resamples - start)
        taken = generator.integers(0, examples, (draws, examples)) + np.arange(draws)[:, None] * examples
        yield np.bincount(taken.ravel(), minlength=draws * examples).reshape(draws, examples)


def _values(measure: Measure, found: Replicated, weights: np.ndarray) -> np.ndarray:
    """The metric for each draw, as the mean of the replicates: ``(draws,)``."""
    total = np.zeros(len(weights))
    for predictions in found.predictions:
        terms = measure.terms(found.labels, predictions)
        total += measure.value(weights.astype(terms.dtype) @ terms)
    return total / len(found.predictions)
