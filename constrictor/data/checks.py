"""Refuse columns with gaps, and distinguish text from numbers, before a model is trained on the wrong column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constrictor.data.spelling import number_in
from constrictor.data.tables import as_text
from constrictor.errors import ConstrictorError

if TYPE_CHECKING:
    import pandas as pd

MOST_NUMBERS = 0.9
MOST_EMPTY = 0.9
_FEWEST_WORDS = 2.0


def refuse_other_than_text(table: pd.DataFrame, column: str, place: str) -> None:
    """Refuse a column that is meant to hold text and holds numbers or next to nothing.

    Args:
        table: the whole table; its other columns are searched for a better one.
        column: the column.
        place: the table's name for the message.

    Raises:
        ConstrictorError: if more than 90 % of what the column holds are numbers, or more than 90 % of it is empty.
    """
    cells = table[column].map(as_text).str.strip()
    filled = cells[cells != ""]
    empty = 1 - len(filled) / len(cells)
    if empty > MOST_EMPTY:
        raise ConstrictorError(
            f"{place}: {_percent(empty)} of the column '{column}' is empty, and it is to hold the text. "
            f"{_better_columns(table, column)}"
        )
    numbers = _share_of_numbers(filled)
    if numbers > MOST_NUMBERS:
        raise ConstrictorError(
            f"{place}: {_percent(numbers)} of the column '{column}' are numbers, and it is to hold the text. "
            f"{_better_columns(table, column)}"
        )


def refuse_gaps(frame: pd.DataFrame, column: str, what: str, way_out: str) -> None:
    """Refuse a column with empty cells.

    Args:
        frame: the rows, all cells text; the index holds their ids.
        column: the column.
        what: what its cells hold.
        way_out: the setting that leaves such rows out.

    Raises:
        ConstrictorError: naming the first rows with an empty cell.
    """
    empty = frame.index[frame[column].str.strip() == ""]
    if len(empty):
        raise ConstrictorError(
            f"{len(empty)} rows have no {what} (column '{column}'); the first, counted from 0: "
            f"{', '.join(empty[:5])}. Fill them in, or leave them out with {way_out}."
        )


def _better_columns(table: pd.DataFrame, column: str) -> str:
    """Names the columns that look like text: with words, most in a row first."""
    words = {}
    for name in table.columns:
        cells = table[name].map(as_text).str.strip()
        cells = cells[cells != ""]
        if name != column and len(cells) > len(table) / 2 and _share_of_numbers(cells) < 1 - MOST_NUMBERS:
            words[str(name)] = cells.str.split().str.len().mean()
    found = sorted((name for name in words if words[name] >= _FEWEST_WORDS), key=lambda name: -words[name])
    if not found:
        return "No other column looks like text."
    return f"Name the right column in 'columns'; these look like text: {', '.join(found)}."


def _share_of_numbers(cells: pd.Series) -> float:
    return float(cells.map(lambda cell: number_in(cell) is not None).mean())


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
