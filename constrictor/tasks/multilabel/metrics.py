"""Metrics of a multi-label classifier, all from sums over the examples."""

from __future__ import annotations

import numpy as np

from constrictor.tasks.measure import divide


def label_terms(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Hits, predictions and occurrences of each label, whether all are right, and a one: ``(examples, 3 labels + 2)``."""
    exact = (labels == predictions).all(axis=1, keepdims=True)
    return np.concatenate([labels * predictions, predictions, labels, exact, np.ones_like(exact)], axis=1).astype(
        np.float32
    )


def f1_of(hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """F1 from hits, predictions and occurrences; 0 where there are none."""
    return divide(2 * hits, predicted + true)


def binary_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Binary cross-entropy in nats, the mean over the labels: ``(examples,)`` float64."""
    x = logits.astype(np.float64)
    found: np.ndarray = (np.logaddexp(0, x) - labels * x).mean(axis=1)
    return found


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the last axis, weighted."""
    return divide((values * weights).sum(axis=-1), weights.sum(axis=-1))
