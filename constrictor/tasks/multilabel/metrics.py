"""Metrics of a multi-label classifier, all from sums over the examples."""

from __future__ import annotations

from typing import Any

import numpy as np

from constrictor.tasks.classification.metrics import f1
from constrictor.tasks.measure import Measure, Problem, divide, sigmoid
from constrictor.tasks.thresholds import best_threshold


class Multilabel(Problem):
    """Each example has any number of labels; labels and answers are ``(examples, labels)`` zeros and ones."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        values = {
            "macro_f1": lambda sums: self._f1(sums).mean(axis=-1),
            "micro_f1": lambda sums: _f1_of(*(part.sum(axis=-1) for part in self._parts(sums))),
            "weighted_f1": lambda sums: _weighted(self._f1(sums), self._parts(sums)[2]),
            "exact_match": lambda sums: divide(sums[..., -2], sums[..., -1]),
        }
        self.measures = {name: Measure(_terms, value) for name, value in values.items()}

    def _parts(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hits, answers and occurrences of each label, ``(..., labels)`` each."""
        count = len(self.names)
        return sums[..., :count], sums[..., count : 2 * count], sums[..., 2 * count : 3 * count]

    def _f1(self, sums: np.ndarray) -> np.ndarray:
        return _f1_of(*self._parts(sums))

    def answers(self, logits: np.ndarray) -> np.ndarray:
        """Every label whose probability is one half or more."""
        return (logits >= 0).astype(np.int64)

    def loss(self, logits: np.ndarray, labels: np.ndarray) -> float:
        """Binary cross-entropy in nats, the mean over examples and labels."""
        x = logits.astype(np.float64)
        return float((np.logaddexp(0, x) - labels * x).mean())

    def details(self, labels: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
        """Precision, recall, F1 and number of examples of each label, and the share of wrong decisions."""
        hits, answered, true = self._parts(_terms(labels, answers).sum(axis=0))
        columns = (divide(hits, answered), divide(hits, true), _f1_of(hits, answered, true))
        return {
            "classes": {
                name: {"precision": float(p), "recall": float(r), "f1": float(f), "examples": int(n)}
                for name, p, r, f, n in zip(self.names, *columns, true, strict=True)
            },
            "hamming_loss": float((labels != answers).mean()),
        }

    def agreement(self, answers: np.ndarray, others: np.ndarray) -> float:
        """Share of examples with the same set of labels."""
        return float((answers == others).all(axis=-1).mean())

    def tune(self, logits: np.ndarray, labels: np.ndarray, metric: str) -> np.ndarray:
        """For each label the threshold that is best for its own F1."""
        scores = sigmoid(logits)
        return np.array(
            [best_threshold(scores[:, column], labels[:, column] == 1, f1) for column in range(len(self.names))]
        )

    def answers_at(self, logits: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Every label from its threshold on."""
        return (sigmoid(logits) >= thresholds).astype(np.int64)


def _terms(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Hits, answers and occurrences of each label, whether all are right, and a one: ``(examples, 3 labels + 2)``."""
    exact = (labels == answers).all(axis=1, keepdims=True)
    return np.concatenate([labels * answers, answers, labels, exact, np.ones_like(exact)], axis=1).astype(np.float32)


def _f1_of(hits: np.ndarray, answered: np.ndarray, true: np.ndarray) -> np.ndarray:
    return divide(2 * hits, answered + true)


def _weighted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return divide((values * weights).sum(axis=-1), weights.sum(axis=-1))
