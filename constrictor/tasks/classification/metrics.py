"""Metrics of a classifier, all from its confusion matrix; and its cross-entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from constrictor.tasks.measure import divide


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts ``[true class, predicted class]``, ``(classes, classes)``.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)


def precision_recall_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of each class; 0 where a class is never predicted or never occurs.

    Args:
        confusion: ``(..., classes, classes)`` counts, true class first.

    Returns:
        Three arrays ``(..., classes)``.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    predicted, true = confusion.sum(axis=-2), confusion.sum(axis=-1)
    precision = divide(hits, predicted)
    recall = divide(hits, true)
    return precision, recall, divide(2 * hits, predicted + true)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of right predictions."""
    return divide(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes, each weighing the same."""
    return precision_recall_f1(confusion)[2].mean(axis=-1)


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes, weighted by how often each occurs."""
    f1 = precision_recall_f1(confusion)[2]
    return divide((f1 * confusion.sum(axis=-1)).sum(axis=-1), confusion.sum(axis=(-2, -1)))


def mcc(confusion: np.ndarray) -> np.ndarray:
    """Matthews correlation coefficient for any number of classes (Gorodkin, 2004); 0 where it is undefined."""
    confusion = confusion.astype(float)
    total = confusion.sum(axis=(-2, -1))
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    predicted, true = confusion.sum(axis=-2), confusion.sum(axis=-1)
    covariance = hits * total - (predicted * true).sum(axis=-1)
    spread = (total**2 - (predicted**2).sum(axis=-1)) * (total**2 - (true**2).sum(axis=-1))
    return divide(covariance, np.sqrt(spread))


def f1(confusion: np.ndarray) -> np.ndarray:
    """F1 of the second of two classes, the positive one."""
    return precision_recall_f1(confusion)[2][..., 1]


METRICS = {"accuracy": accuracy, "macro_f1": macro_f1, "weighted_f1": weighted_f1, "mcc": mcc}
"""The metrics of any number of classes, each from ``(..., classes, classes)`` counts to ``(...)`` values."""


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of each label in nats.

    Args:
        logits: ``(examples, classes)``.
        labels: ``(examples,)``.

    Returns:
        ``(examples,)`` float64.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    found: np.ndarray = log_sums - shifted[np.arange(len(labels)), labels]
    return found


def per_class(confusion: np.ndarray, names: list[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and number of examples of each class."""
    rows = zip(names, *precision_recall_f1(confusion), confusion.sum(axis=1), strict=True)
    return {
        name: {"precision": float(precision), "recall": float(recall), "f1": float(f1), "examples": int(examples)}
        for name, precision, recall, f1, examples in rows
    }
