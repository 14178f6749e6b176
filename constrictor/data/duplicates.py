"""Remove exact duplicates, so that no text stands on both sides of a split."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from constrictor.data.batching import Text


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
