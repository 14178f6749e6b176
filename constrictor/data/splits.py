"""Draw stratified samples and splits that depend on the seed and the examples only."""

from __future__ import annotations

import numpy as np

from constrictor.data.stratification import iterative_parts


def stratified_sample(labels: np.ndarray, size: int, seed: int, every_class: bool = False) -> np.ndarray:
    """Rows of a sample that keeps the shares of the classes, by the largest-remainder rule.

    Args:
        labels: ``(rows,)`` class numbers, or ``(rows, labels)`` of 0 and 1.
        size: rows to draw, at most ``len(labels)``.
        seed: seed of the draw.
        every_class: take, and leave, one row at least of every class that has two, at the cost of the largest class.

    Returns:
        ``(size,)`` row numbers, rising.

    >>> rows = stratified_sample(np.array([0] * 8 + [1] * 2), 5, seed=0)
    >>> np.bincount(np.array([0] * 8 + [1] * 2)[rows]).tolist()
    [4, 1]
    """
    if labels.ndim == 2:
        return np.flatnonzero(iterative_parts(labels, [len(labels) - size, size], seed))
    classes, counts = np.unique(labels, return_counts=True)
    quotas = _largest_remainder(counts, size)
    if every_class:
        quotas = _with_every_class(quotas, counts)
    generator = np.random.default_rng(seed)
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:quota]
        for label, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.int64)


def stratified_split(labels: np.ndarray, validation: float, test: float, seed: int) -> dict[str, np.ndarray]:
    """Disjoint rows for ``train``, ``validation`` and ``test`` that together are all rows.

    However rare a class is: with three rows, each of the splits has one, as long as the splits are no smaller than the
    number of classes.

    Args:
        labels: ``(rows,)`` class numbers, or ``(rows, labels)`` of 0 and 1.
        validation: share for validation; 0 draws none.
        test: share for test; 0 draws none.
        seed: seed of the draw.

    Returns:
        The rising row numbers of each split.
    """
    everything = np.arange(len(labels))
    test_rows = stratified_sample(labels, round(len(labels) * test), seed, every_class=True)
    rest = np.setdiff1d(everything, test_rows)
    validation_size = round(len(labels) * validation)
    validation_rows = rest[stratified_sample(labels[rest], validation_size, seed + 1, every_class=True)]
    return {"train": np.setdiff1d(rest, validation_rows), "validation": validation_rows, "test": test_rows}


def _largest_remainder(counts: np.ndarray, size: int) -> np.ndarray:
    """Whole numbers in the proportion of ``counts`` that add up to ``size``."""
    exact = counts * size / max(counts.sum(), 1)
    quotas = np.floor(exact).astype(np.int64)
    largest_first = np.argsort(-(exact - quotas), kind="stable")
    quotas[largest_first[: size - quotas.sum()]] += 1
    return quotas


def _with_every_class(quotas: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Quotas of the same sum that are neither 0 nor all rows of a class that has two rows or more, where that can be."""
    quotas = quotas.copy()
    for rare in np.flatnonzero((quotas == 0) & (counts > 1)):
        richest = quotas.argmax()
        if quotas[richest] > 1:
            quotas[[richest, rare]] += [-1, 1]
    for used_up in np.flatnonzero((quotas == counts) & (counts > 1)):
        roomiest = (counts - quotas).argmax()
        if counts[roomiest] - quotas[roomiest] > 1:
            quotas[[roomiest, used_up]] += [1, -1]
    return quotas
