"""Draw stratified samples and splits that depend on the seed and the examples only."""

from __future__ import annotations

import numpy as np

from constrictor.data.stratification import iterative_parts


def stratified_sample(labels: np.ndarray, size: int, seed: int, leave: int | None = None) -> np.ndarray:
    """Rows of a sample that keeps the shares of the classes, by the largest-remainder rule.

    Args:
        labels: ``(rows,)`` class numbers, or ``(rows, labels)`` of 0 and 1.
        size: rows to draw, at most ``len(labels)``.
        seed: seed of the draw.
        leave: rows to leave of every class at least, while at least one is taken of each that has more, at the cost of the
            largest classes. Default: the shares decide alone.

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
    if leave is not None:
        quotas = _with_every_class(quotas, counts, leave)
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
    test_rows = stratified_sample(labels, round(len(labels) * test), seed, leave=2)
    rest = np.setdiff1d(everything, test_rows)
    validation_size = round(len(labels) * validation)
    validation_rows = rest[stratified_sample(labels[rest], validation_size, seed + 1, leave=1)]
    return {"train": np.setdiff1d(rest, validation_rows), "validation": validation_rows, "test": test_rows}


def strata_of(labels: np.ndarray) -> np.ndarray:
    """By what a sample of some labels is stratified: by themselves, and values by the tenth that they belong to.

    >>> strata_of(np.array([0.5, 3.0, 2.0])).tolist()
    [0, 6, 3]
    """
    if labels.ndim == 2 or labels.dtype.kind != "f":
        return labels
    order = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
    tenths: np.ndarray = order * 10 // max(len(labels), 1)
    return tenths


def _largest_remainder(counts: np.ndarray, size: int) -> np.ndarray:
    """Whole numbers in the proportion of ``counts`` that add up to ``size``."""
    exact = counts * size / max(counts.sum(), 1)
    quotas = np.floor(exact).astype(np.int64)
    largest_first = np.argsort(-(exact - quotas), kind="stable")
    quotas[largest_first[: size - quotas.sum()]] += 1
    return quotas


def _with_every_class(quotas: np.ndarray, counts: np.ndarray, leave: int) -> np.ndarray:
    """Quotas of the same sum of which none is 0 and each leaves some rows, of the classes that have enough."""
    quotas = quotas.copy()
    enough = counts > leave
    for rare in np.flatnonzero(enough & (quotas == 0)):
        if quotas.max() > 1:
            quotas[[quotas.argmax(), rare]] += [-1, 1]
    while (used_up := enough & (counts - quotas < leave)).any() and (counts - quotas).max() > leave:
        quotas[[(counts - quotas).argmax(), used_up.argmax()]] += [1, -1]
    return quotas
