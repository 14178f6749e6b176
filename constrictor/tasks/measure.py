"""A metric as a function of sums over examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Measure:
    """A metric that depends on sums over the examples only, so that a derivative tells how each example moves it.

    Attributes:
        terms: maps labels and predictions to the ``(examples, terms)`` that are summed.
        value: maps ``(..., terms)`` sums to ``(...)`` values; higher is better.
        bounds: the lowest and the highest value; None where one of them is infinite.
        right: for the share of right examples, maps the terms to ``(examples,)`` 1 where an example is right, 0 elsewhere.
    """

    terms: Callable[[np.ndarray, np.ndarray], np.ndarray]
    value: Callable[[np.ndarray], np.ndarray]
    bounds: tuple[float, float] | None = (0.0, 1.0)
    right: Callable[[np.ndarray], np.ndarray] | None = None

    def of(self, labels: np.ndarray, predictions: np.ndarray) -> float:
        """The metric of all examples."""
        return float(self.value(self.terms(labels, predictions).sum(axis=0)))


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, 0 where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))``, also for large numbers."""
    return 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))
