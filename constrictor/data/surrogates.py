"""Halves of characters: a text that was cut within an emoji ends in one, which JSON can hold and no file in UTF-8.

UTF-16 writes characters beyond the first 65,536 as two surrogates. A single one stands for nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from constrictor.errors import ConstrictorError

if TYPE_CHECKING:
    import pandas as pd

_SURROGATE = re.compile("[\ud800-\udfff]")


def without_surrogates(text: str) -> str:
    r"""The text with the replacement character for each single surrogate.

    >>> without_surrogates("so \ud83d") == "so \ufffd"
    True
    """
    return _SURROGATE.sub("\ufffd", text)


def has_surrogate(cell: Any) -> bool:
    """Whether a cell is a text with a single surrogate; lists are searched, too."""
    return (
        _SURROGATE.search(cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False, default=str))
        is not None
    )


def replace_surrogates(table: pd.DataFrame, columns: Sequence[str]) -> int:
    """Replace single surrogates in columns of text, in place; returns the number of rows that had any."""
    damaged = {column: table[column].map(has_surrogate) for column in columns if table[column].dtype == object}
    for column, rows in damaged.items():
        table.loc[rows, column] = table.loc[rows, column].map(without_surrogates)
    return sum(map(any, zip(*damaged.values(), strict=True)))


def refuse_surrogates(table: pd.DataFrame, columns: Sequence[str], place: str) -> None:
    """Refuse single surrogates in columns whose cells are compared: replaced, two different ones could become one.

    Raises:
        ConstrictorError: naming the first row.
    """
    for column in columns:
        if table[column].dtype == object and (damaged := table[column].map(has_surrogate)).any():
            row = damaged.idxmax()
            raise ConstrictorError(
                f"{place}: the column '{column}' holds {table[column][row]!a} (row {row}, counted from 0), in which a character "
                "is cut in half (an emoji, for example). Correct it."
            )
