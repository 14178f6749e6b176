"""Regression: each example has a value; labels and predictions are ``(examples,)`` numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from constrictor.data.batching import Arrays, RawOutputs
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.regression.metrics import regression_measures
from constrictor.tasks.text import LOGITS, TextKind


class Regression(TextKind):
    """One value an example."""

    problem_type = "regression"
    tolerates_bf16 = False
    predicts_labels = False
    no_label = np.array(np.nan, np.float32)

    def __init__(self, record: TaskRecord) -> None:
        super().__init__(record)
        self.measures = regression_measures()

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """The tenth of the sorted values that each belongs to.

        >>> Regression(TaskRecord(kind="regression", max_length=8)).strata(np.array([0.5, 3.0, 2.0])).tolist()
        [0, 6, 3]
        """
        order = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
        tenths: np.ndarray = order * 10 // max(len(labels), 1)
        return tenths

    def count(self, labels: np.ndarray) -> dict[str, int]:
        """Values have no classes."""
        return {}

    def is_labelled(self, labels: np.ndarray) -> np.ndarray:
        """Where the value is known."""
        return ~np.isnan(labels)

    def predict(self, outputs: Arrays) -> np.ndarray:
        """The model's only output."""
        return outputs[LOGITS][:, 0].astype(np.float64)

    def losses(self, raw: RawOutputs, targets: Arrays) -> np.ndarray:
        """Squared error, in the labels' unit squared; a training divides it by their variance."""
        found: np.ndarray = (np.asarray(raw[LOGITS])[:, 0].astype(np.float64) - targets["labels"]) ** 2
        return found

    def details(self, labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """Errors, in the labels' unit."""
        errors = predictions - labels
        return {"mean_absolute_error": float(np.abs(errors).mean()), "rmse": float(np.sqrt((errors**2).mean()))}

    def agreement(self, predictions: np.ndarray, others: np.ndarray) -> None:
        """Values are hardly ever the same."""


KIND = Regression
