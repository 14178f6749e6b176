"""What a metric is, and what a kind of problem has to say about a model's answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Measure:
    """A metric that depends on sums over the examples only, so that ten thousand resamples are one matrix product.

    Attributes:
        terms: maps labels and answers to the ``(examples, terms)`` that are summed.
        value: maps ``(..., terms)`` sums to ``(...)`` values; higher is better.
    """

    terms: Callable[[np.ndarray, np.ndarray], np.ndarray]
    value: Callable[[np.ndarray], np.ndarray]

    def of(self, labels: np.ndarray, answers: np.ndarray) -> float:
        """The metric of all examples."""
        return float(self.value(self.terms(labels, answers).sum(axis=0)))


class Problem(ABC):
    """A kind of task: how logits become answers, and how answers are scored.

    Attributes:
        names: what the outputs stand for: the classes, the labels, or the one value.
        measures: the metrics that a task of this kind may name.
    """

    measures: dict[str, Measure]

    def __init__(self, names: list[str]) -> None:
        self.names = names

    @abstractmethod
    def answers(self, logits: np.ndarray) -> np.ndarray:
        """What the model answers, from ``(examples, outputs)`` logits."""

    @abstractmethod
    def loss(self, logits: np.ndarray, labels: np.ndarray) -> float:
        """The mean loss that such a model is trained with."""

    @abstractmethod
    def details(self, labels: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
        """Figures beyond the metrics, such as those of each class."""

    @abstractmethod
    def agreement(self, answers: np.ndarray, others: np.ndarray) -> float | None:
        """Share of examples with the same answer; None where answers are values."""

    def tune(self, logits: np.ndarray, labels: np.ndarray, metric: str) -> np.ndarray | None:
        """Decision thresholds, as probabilities, that are best on these examples; None where nothing is to be decided."""
        return None

    def answers_at(self, logits: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """The answers with decision thresholds, for the kinds that :meth:`tune` gives some."""
        raise NotImplementedError

    def scores(self, labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
        """All metrics."""
        return {name: measure.of(labels, answers) for name, measure in self.measures.items()}

    def evaluate(self, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """All metrics, and the loss."""
        return {**self.scores(labels, self.answers(logits)), "loss": self.loss(logits, labels)}


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, 0 where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))``, also for large numbers."""
    return 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))
