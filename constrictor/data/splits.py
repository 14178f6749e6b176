"""Draw stratified samples and splits that depend on the seed and the examples only."""

from __future__ import annotations

import numpy as np


def stratified_sample(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Rows of a sample that keeps the shares of the classes, by the largest-remainder rule.

    Args:
        labels: ``(rows,)`` class numbers.
        size: rows to draw, at most ``len(labels)``.
        seed: seed of the draw.

    Returns:
        ``(size,)`` row numbers, rising.

    >>> rows = stratified_sample(np.array([0] * 8 + [1] * 2), 5, seed=0)
    >>> np.bincount(np.array([0] * 8 + [1] * 2)[rows]).tolist()
    [4, 1]
    """
    classes, counts = np.unique(labels, return_counts=True)
    quotas = _largest_remainder(counts, size)
    generator = np.random.default_rng(seed)
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:quota]
        for label, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.int64)


def stratified_split(labels: np.ndarray, validation: float, test: float, seed: int) -> dict[str, np.ndarray]:
    """Disjoint rows for ``train``, ``validation`` and ``test`` that together are all rows.

    Args:
        labels: ``(rows,)`` class numbers.
        validation: share for validation; 0 draws none.
        test: share for test; 0 draws none.
        seed: seed of the draw.

    Returns:
        The rising row numbers of each split.
    """
    everything = np.arange(len(labels))
    test_rows = stratified_sample(labels, round(len(labels) * test), seed)
    rest = np.setdiff1d(everything, test_rows)
    validation_rows = rest[stratified_sample(labels[rest], round(len(labels) * validation), seed + 1)]
    return {"train": np.setdiff1d(rest, validation_rows), "validation": validation_rows, "test": test_rows}


def strata_of(labels: np.ndarray) -> np.ndarray:
    """Numbers by which a sample is stratified, from labels of any kind.

    Args:
        labels: ``(rows,)`` class numbers, ``(rows, labels)`` zeros and ones, or ``(rows,)`` values.

    Returns:
        ``(rows,)``: classes; sets of labels, those that fewer than ten rows have counted as one; tenths by value.

    >>> strata_of(np.array([[0.0, 1.0]] * 10 + [[1.0, 1.0]])).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1]
    """
    if labels.ndim == 2:
        _, codes, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
        return np.where(counts[codes] < 10, -1, codes)
    if labels.dtype.kind == "f":
        order = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
        return order * 10 // max(len(labels), 1)
    return labels


def _largest_remainder(counts: np.ndarray, size: int) -> np.ndarray:
    """Whole numbers in the proportion of ``counts`` that add up to ``size``."""
    exact = counts * size / max(counts.sum(), 1)
    quotas = np.floor(exact).astype(np.int64)
    largest_first = np.argsort(-(exact - quotas), kind="stable")
    quotas[largest_first[: size - quotas.sum()]] += 1
    return quotas
