"""Select a subset from a task's training examples or from a corpus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from constrictor.data.batching import Text
from constrictor.data.examples import Examples
from constrictor.data.splits import strata_of, stratified_sample
from constrictor.data.text import Overlap
from constrictor.errors import ConstrictorError
from constrictor.study.corpora import Subset


class Selection(NamedTuple):
    """The chosen examples, and how many were passed over since held-out texts share a run of words with them."""

    examples: Examples
    overlapping: int


def select_subset(subset: Subset, pool: Examples, held_out: Iterable[Text]) -> Selection:
    """Choose examples from a pool.

    Args:
        subset: what to choose.
        pool: the training examples of a task, or a corpus.
        held_out: validation and test texts of all tasks; empty when the pool is a task's own training split, which
            holds none of them already.

    Raises:
        ConstrictorError: if the pool has fewer usable examples than the subset wants.
    """
    if subset.size > len(pool):
        raise ConstrictorError(
            f"the subset wants {subset.size} examples and '{subset.of}' has {len(pool)}. Lower 'size'."
        )
    if subset.stratify:
        return Selection(pool.take(stratified_sample(strata_of(pool.labels), subset.size, subset.seed)), 0)
    overlap = Overlap(held_out, subset.decontamination_ngram)
    chosen: list[int] = []
    overlapping = 0
    for row in np.random.default_rng(subset.seed).permutation(len(pool)):
        if len(chosen) == subset.size:
            break
        if pool.texts[row] in overlap:
            overlapping += 1
        else:
            chosen.append(int(row))
    if len(chosen) < subset.size:
        raise ConstrictorError(
            f"the subset wants {subset.size} examples; '{subset.of}' has {len(chosen)} that share no "
            f"{subset.decontamination_ngram} words in a row with a validation or test text. Lower 'size'."
        )
    return Selection(pool.take(np.sort(np.array(chosen))), overlapping)
