"""Draw stratified samples and splits that depend on the seed and the examples only."""

from __future__ import annotations

from collections.abc import Callable

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


def stratified_split(
    labels: np.ndarray, validation: float, test: float, seed: int, groups: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Disjoint rows for ``train``, ``validation`` and ``test`` that together are all rows.

    However rare a class is: with three rows, each of the splits has one, as long as the splits are no smaller than the
    number of classes.

    Args:
        labels: ``(rows,)`` class numbers, or ``(rows, labels)`` of 0 and 1.
        validation: share for validation; 0 draws none.
        test: share for test; 0 draws none.
        seed: seed of the draw.
        groups: ``(rows,)`` integer codes of rows that stay together; shares are then those of groups.

    Returns:
        The rising row numbers of each split.
    """
    if groups is not None:

        def parts(strata: np.ndarray) -> np.ndarray:
            found = np.empty(len(strata), dtype=np.int64)
            for number, rows in enumerate(stratified_split(strata, validation, test, seed).values()):
                found[rows] = number
            return found

        part_of = in_groups(groups, labels, parts)
        return {name: np.flatnonzero(part_of == number) for number, name in enumerate(("train", "validation", "test"))}
    everything = np.arange(len(labels))
    test_rows = stratified_sample(labels, round(len(labels) * test), seed, leave=2)
    rest = np.setdiff1d(everything, test_rows)
    validation_size = round(len(labels) * validation)
    validation_rows = rest[stratified_sample(labels[rest], validation_size, seed + 1, leave=1)]
    return {"train": np.setdiff1d(rest, validation_rows), "validation": validation_rows, "test": test_rows}


def in_groups(groups: np.ndarray | None, strata: np.ndarray, decide: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A decision about each row that is the same for all rows of a group.

    Args:
        groups: ``(rows,)`` integer codes; None where each row is a group of its own.
        strata: ``(rows, ...)``; a group has the stratum of its first row.
        decide: maps the strata of the groups to a decision about each.

    Returns:
        ``(rows,)``.

    >>> in_groups(np.array([7, 3, 7]), np.zeros(3), lambda strata: np.arange(len(strata))).tolist()
    [1, 0, 1]
    """
    if groups is None:
        return decide(strata)
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    decided: np.ndarray = decide(strata[first])[place]
    return decided


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
