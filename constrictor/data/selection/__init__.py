"""Select a subset of a task's training examples or of a corpus. One module per strategy, and :data:`STRATEGIES` by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from constrictor.data.batching import Text
from constrictor.data.examples import Examples
from constrictor.data.selection.random import random_order
from constrictor.data.text import Overlap
from constrictor.errors import ConstrictorError
from constrictor.study.corpora import Subset

Strategy = Callable[[Subset, Examples, np.ndarray | None], np.ndarray]
"""Maps a subset, the examples to select from and their strata to row numbers, in order of preference."""

STRATEGIES: dict[str, Strategy] = {"random": random_order}


class Selection(NamedTuple):
    """The selected examples, and the number of preferred ones that were excluded by decontamination."""

    examples: Examples
    overlapping: int


def select_subset(
    subset: Subset, pool: Examples, held_out: Iterable[Text], strata: np.ndarray | None = None
) -> Selection:
    """Select examples: the first in the order of the strategy that do not overlap with a held-out text.

    Args:
        subset: the selection.
        pool: the training examples of a task, or a corpus.
        held_out: validation and test texts of all tasks; empty if the pool is the training split of a task.
        strata: what a stratified selection preserves the proportions of; None for others.

    Returns:
        The selected examples, in the order of the pool.

    Raises:
        ConstrictorError: if the pool has too few examples.
    """
    if subset.size > len(pool):
        raise ConstrictorError(
            f"the subset has a size of {subset.size} and '{subset.of}' has {len(pool)} examples. Reduce 'size'."
        )
    overlap = Overlap(held_out, subset.decontamination_ngram)
    chosen: list[int] = []
    overlapping = 0
    for row in STRATEGIES[subset.strategy](subset, pool, strata):
        if len(chosen) == subset.size:
            break
        if pool.texts[row] in overlap:
            overlapping += 1
        else:
            chosen.append(int(row))
    if len(chosen) < subset.size:
        raise ConstrictorError(
            f"the subset has a size of {subset.size} and '{subset.of}' has {len(chosen)} examples that share no "
            f"{subset.decontamination_ngram} consecutive words with a validation or test text. Reduce 'size'."
        )
    return Selection(pool.take(np.sort(np.array(chosen))), overlapping)
