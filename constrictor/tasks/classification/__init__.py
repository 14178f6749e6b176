"""Classification: each example has exactly one class; labels and predictions are ``(examples,)`` class numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from constrictor.data.batching import UNLABELLED, Arrays, RawOutputs
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.classification.metrics import METRICS, confusion_matrix, cross_entropy, f1, per_class
from constrictor.tasks.measure import Measure, sigmoid
from constrictor.tasks.text import LOGITS, TextKind
from constrictor.tasks.thresholds import best_threshold


class Classification(TextKind):
    """One class an example."""

    problem_type = "single_label_classification"
    no_label = np.array(UNLABELLED, np.int64)

    def __init__(self, record: TaskRecord) -> None:
        super().__init__(record)
        self._metrics = {**METRICS, "f1": f1} if len(self.names) == 2 else METRICS
        self.measures = {
            name: Measure(
                self._cells,
                partial(self._of_counts, metric),
                bounds=(-1.0, 1.0) if name == "mcc" else (0.0, 1.0),
                right=self._diagonal if name == "accuracy" else None,
            )
            for name, metric in self._metrics.items()
        }

    def _cells(self, labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
        """The cell of the confusion matrix that each prediction falls in, one-hot: ``(examples, classes^2)``."""
        return np.eye(len(self.names) ** 2, dtype=np.float32)[labels * len(self.names) + predictions]

    def _diagonal(self, cells: np.ndarray) -> np.ndarray:
        """Whether each prediction is right."""
        found: np.ndarray = cells[:, :: len(self.names) + 1].sum(axis=1)
        return found

    def _of_counts(self, metric: Any, counts: np.ndarray) -> np.ndarray:
        classes = len(self.names)
        found: np.ndarray = metric(counts.reshape(*counts.shape[:-1], classes, classes))
        return found

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """The classes."""
        return labels

    def count(self, labels: np.ndarray) -> dict[str, int]:
        """Examples of each class."""
        return dict(zip(self.names, np.bincount(labels, minlength=len(self.names)).tolist(), strict=True))

    def is_labelled(self, labels: np.ndarray) -> np.ndarray:
        """Where the label is a class."""
        return labels != UNLABELLED

    def predict(self, outputs: Arrays) -> np.ndarray:
        """The class with the largest logit."""
        return outputs[LOGITS].argmax(axis=1)

    def losses(self, raw: RawOutputs, targets: Arrays) -> np.ndarray:
        """Cross-entropy in nats."""
        return cross_entropy(np.asarray(raw[LOGITS]), targets["labels"])

    def details(self, labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """Precision, recall, F1 and number of examples of each class."""
        return {"classes": per_class(confusion_matrix(labels, predictions, len(self.names)), self.names)}

    def agreement(self, predictions: np.ndarray, others: np.ndarray) -> float:
        """Share of examples in the same class."""
        return float((predictions == others).mean())

    def tune(self, outputs: Arrays, labels: np.ndarray, metric: str) -> np.ndarray | None:
        """For two classes, the probability from which the second is predicted."""
        if len(self.names) != 2:
            return None
        return np.array([best_threshold(_second(outputs[LOGITS]), labels == 1, self._metrics[metric])])

    def predict_at(self, outputs: Arrays, thresholds: np.ndarray) -> np.ndarray:
        """The second class from its threshold on."""
        return (_second(outputs[LOGITS]) >= thresholds[0]).astype(np.int64)


def _second(logits: np.ndarray) -> np.ndarray:
    """Probability of the second of two classes."""
    return sigmoid(logits[:, 1] - logits[:, 0])


KIND = Classification
