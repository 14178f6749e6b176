"""The strategy `random`: uniform, or stratified."""

from __future__ import annotations

import numpy as np

from constrictor.data.examples import Examples
from constrictor.data.splits import stratified_sample
from constrictor.study.corpora import Subset


def random_order(subset: Subset, pool: Examples, strata: np.ndarray | None) -> np.ndarray:
    """Rows in random order.

    Args:
        subset: the selection; its seed determines the order.
        pool: the examples to select from.
        strata: ``(examples,)`` integer codes, or ``(examples, labels)`` of 0 and 1, whose proportions are preserved; None for
            a uniform selection.

    Returns:
        ``(rows,)`` row numbers: all of the pool, or with strata only as many as the subset has.
    """
    if strata is not None:
        return stratified_sample(strata, subset.size, subset.seed)
    return np.random.default_rng(subset.seed).permutation(len(pool))
