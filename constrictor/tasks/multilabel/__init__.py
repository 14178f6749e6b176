"""Multi-label classification: labels and predictions are ``(examples, labels)`` zeros and ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from constrictor.data.batching import Arrays, RawOutputs
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.classification.metrics import f1
from constrictor.tasks.measure import Measure, divide, sigmoid
from constrictor.tasks.multilabel.metrics import binary_cross_entropy, f1_of, label_terms, weighted_mean
from constrictor.tasks.text import LOGITS, TextKind
from constrictor.tasks.thresholds import best_threshold


class Multilabel(TextKind):
    """Any number of labels an example."""

    problem_type = "multi_label_classification"

    def __init__(self, record: TaskRecord) -> None:
        super().__init__(record)
        values = {
            "macro_f1": lambda sums: self._f1(sums).mean(axis=-1),
            "micro_f1": lambda sums: f1_of(*(part.sum(axis=-1) for part in self._parts(sums))),
            "weighted_f1": lambda sums: weighted_mean(self._f1(sums), self._parts(sums)[2]),
        }
        self.measures = {name: Measure(label_terms, value) for name, value in values.items()}
        self.measures["exact_match"] = Measure(label_terms, _exact_match, right=lambda terms: terms[:, -2])

    @property
    def no_label(self) -> np.ndarray:
        """NaN for every label."""
        return np.full(len(self.names), np.nan, np.float32)

    def _parts(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hits, predictions and occurrences of each label, ``(..., labels)`` each."""
        count = len(self.names)
        return sums[..., :count], sums[..., count : 2 * count], sums[..., 2 * count : 3 * count]

    def _f1(self, sums: np.ndarray) -> np.ndarray:
        return f1_of(*self._parts(sums))

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """The labels."""
        return labels

    def count(self, labels: np.ndarray) -> dict[str, int]:
        """Examples with each label."""
        return dict(zip(self.names, labels.sum(axis=0).astype(int).tolist(), strict=True))

    def is_labelled(self, labels: np.ndarray) -> np.ndarray:
        """Where the labels are known."""
        return ~np.isnan(labels).any(axis=1)

    def predict(self, outputs: Arrays) -> np.ndarray:
        """Every label whose probability is one half or more."""
        return (outputs[LOGITS] >= 0).astype(np.int64)

    def losses(self, raw: RawOutputs, targets: Arrays) -> np.ndarray:
        """Binary cross-entropy in nats, the mean over the labels."""
        return binary_cross_entropy(np.asarray(raw[LOGITS]), targets["labels"])

    def details(self, labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """Precision, recall, F1 and number of examples of each label, and the share of wrong decisions."""
        hits, predicted, true = self._parts(label_terms(labels, predictions).sum(axis=0))
        columns = (divide(hits, predicted), divide(hits, true), f1_of(hits, predicted, true))
        return {
            "classes": {
                name: {"precision": float(p), "recall": float(r), "f1": float(f), "examples": int(n)}
                for name, p, r, f, n in zip(self.names, *columns, true, strict=True)
            },
            "hamming_loss": float((labels != predictions).mean()),
        }

    def agreement(self, predictions: np.ndarray, others: np.ndarray) -> float:
        """Share of examples with the same set of labels."""
        return float((predictions == others).all(axis=-1).mean())

    def tune(self, outputs: Arrays, labels: np.ndarray, metric: str) -> np.ndarray:
        """For each label the threshold that is best for its own F1."""
        scores = sigmoid(outputs[LOGITS])
        return np.array(
            [best_threshold(scores[:, column], labels[:, column] == 1, f1) for column in range(len(self.names))]
        )

    def predict_at(self, outputs: Arrays, thresholds: np.ndarray) -> np.ndarray:
        """Every label from its threshold on."""
        return (sigmoid(outputs[LOGITS]) >= thresholds).astype(np.int64)


def _exact_match(sums: np.ndarray) -> np.ndarray:
    return divide(sums[..., -2], sums[..., -1])


KIND = Multilabel
