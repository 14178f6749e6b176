"""Remove exact duplicates, so that no text stands on both sides of a drawn split; splits that the data bring stay whole."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from constrictor.data.batching import Text
from constrictor.study.splits import HELD_OUT


class Selected(NamedTuple):
    """Which rows of a task stay.

    Attributes:
        rows: their numbers, rising.
        dropped: how many went, by the reason.
        also_in_training: rows of each split that the data bring whose text is also among the training rows that were read.
    """

    rows: np.ndarray
    dropped: dict[str, int]
    also_in_training: dict[str, int]


class Deduplicated(NamedTuple):
    """Which rows stay, and how many went for which reason."""

    rows: np.ndarray
    repeated: int
    contradicting: int


def same_text_key(text: Text) -> Text:
    """Texts with one key count as the same: Unicode form, case and white space do not matter.

    >>> same_text_key("A  good\\tfilm ") == same_text_key("a good film")
    True
    """
    return _key(text) if isinstance(text, str) else (_key(text[0]), _key(text[1]))


def _key(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def deduplicate(texts: Sequence[Text], labels: Sequence[Hashable]) -> Deduplicated:
    """Keep the first row of each text; drop a text altogether if its rows contradict one another.

    >>> deduplicate(["a", "A ", "b", "b"], ["0", "0", "0", "1"])
    Deduplicated(rows=array([0]), repeated=1, contradicting=2)
    """
    rows_of: dict[Text, list[int]] = {}
    for row, text in enumerate(texts):
        rows_of.setdefault(same_text_key(text), []).append(row)
    kept, repeated, contradicting = [], 0, 0
    for rows in rows_of.values():
        if len({labels[row] for row in rows}) > 1:
            contradicting += len(rows)
        else:
            kept.append(rows[0])
            repeated += len(rows) - 1
    return Deduplicated(np.array(sorted(kept), dtype=np.int64), repeated, contradicting)


def select_rows(texts: Sequence[Text], labels: Sequence[Hashable], origin: np.ndarray, keep_overlap: bool) -> Selected:
    """The rows of a task: those of validation and test splits that the data bring, and the others without duplicates.

    Args:
        texts: the texts.
        labels: their labels.
        origin: ``(rows,)`` the split that each came in, "" where all come from one source.
        keep_overlap: whether other rows stay whose text is also in such a split.

    >>> select_rows(["a", "a", "a", "b"], ["0", "0", "1", "0"], np.array(["test", "test", "train", "train"]), False)
    Selected(rows=array([0, 1, 3]), dropped={'repeated': 0, 'contradicting': 0, 'also held out': 1}, also_in_training={'test': 2})
    """
    keys = [same_text_key(text) for text in texts]
    given = {name: rows for name in HELD_OUT if len(rows := np.flatnonzero(origin == name))}
    whole = np.concatenate([*given.values(), np.empty(0, np.int64)])
    free = np.setdiff1d(np.arange(len(keys)), whole)
    held_out, training = {keys[row] for row in whole}, {keys[row] for row in free}
    shared = np.array([keys[row] in held_out for row in free], dtype=bool)
    candidates = free if keep_overlap else free[~shared]
    kept = deduplicate([texts[row] for row in candidates], [labels[row] for row in candidates])
    dropped = {"repeated": kept.repeated, "contradicting": kept.contradicting}
    if given:
        dropped["also held out"] = len(free) - len(candidates)
    also = {name: sum(keys[row] in training for row in rows) for name, rows in given.items()}
    return Selected(np.sort(np.concatenate([whole, candidates[kept.rows]])), dropped, also)
