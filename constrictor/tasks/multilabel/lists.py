"""Lists of labels in the cells of a column: as JSON, as Python, numpy and PostgreSQL print them, or as a separated text."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from constrictor.data.tables import as_text
from constrictor.errors import ConstrictorError

if TYPE_CHECKING:
    import pandas as pd

_ESCAPE = r"\\(?:['\"\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
_QUOTED = rf"""(?:'(?:[^'\\]|{_ESCAPE})*'|"(?:[^"\\]|{_ESCAPE})*")"""
_ITEM = rf"""(?:{_QUOTED}|[^\s,'"\[\](){{}}]+)"""
_ITEMS = re.compile(_ITEM)
# Separated by commas; or, as numpy prints an array of texts, by white space.
_CONTENT = re.compile(rf"\s*(?:{_ITEM}(?:\s*,\s*{_ITEM})*\s*,?|{_QUOTED}(?:\s+{_QUOTED})*)?\s*")
_MISSING = {"None", "nan", "null"}
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


def read_lists(column: pd.Series, separator: str) -> list[list[str]]:
    """The labels of each row; none where a cell is empty.

    All rows are lists, or all are texts in which the labels are separated.

    Args:
        column: the cells, all text; the index holds the rows' ids.
        separator: what separates labels in a text.

    Raises:
        ConstrictorError: if some rows are lists and others not, or lists hold zeros and ones in the place of names.
    """
    cells = column.str.strip()
    filled = cells[cells != ""]
    lists = {row: labels for row, cell in filled.items() if (labels := labels_in(cell)) is not None}
    if not lists or not _are_lists(filled, lists):
        return [[part.strip() for part in cell.split(separator) if part.strip()] for cell in cells]
    odd = next((row for row in filled.index if row not in lists), None)
    if odd is not None:
        row = next(iter(lists))
        raise ConstrictorError(
            f"the column '{column.name}' holds {filled[row]:.80} (row {row}, counted from 0), which is a list of labels, and "
            f'{filled[odd]:.80} (row {odd}), which is none. Write all rows as JSON, for example ["one", "two"].'
        )
    if all(len(labels) > 1 and {"0", "1"}.issuperset(labels) for labels in lists.values()):
        raise ConstrictorError(
            f"the lists in the column '{column.name}' hold zeros and ones and not the names of labels. Write names; or give "
            "each label a column of its own, and name those in 'columns.labels'."
        )
    return [lists.get(row, []) for row in cells.index]


def _are_lists(filled: pd.Series, lists: Mapping[Hashable, list[str]]) -> bool:
    """Whether the cells that can be read as lists are meant so: all are in brackets, or one is empty or has quotes."""
    quoted = filled[list(lists)].str.contains("['\"]").any()
    return bool(filled.str[0].isin(_BRACKETS).all() or quoted or [] in lists.values())


def labels_in(cell: str) -> list[str] | None:
    """The labels of a cell that is a list; None if it is something else.

    >>> labels_in('["a\\\\u0062", "c d"]'), labels_in("['it\\\\'s', \\"x, y\\"]"), labels_in("['a' 'b']"), labels_in("{a,b}")
    (['ab', 'c d'], ["it's", 'x, y'], ['a', 'b'], ['a', 'b'])
    >>> labels_in("[]"), labels_in("a, b"), labels_in("['a', 'b' 'c']"), labels_in('[["a"]]')
    ([], None, None, None)
    """
    if _BRACKETS.get(cell[:1]) != cell[-1:]:
        return None
    try:
        items = json.loads(cell)
    except (ValueError, RecursionError):
        items = _printed_items(cell[1:-1])
    if not isinstance(items, list) or not all(isinstance(item, str | int | float) for item in items):
        return None
    labels = [as_text(item).strip() for item in items]
    return labels if all(labels) else None


def _printed_items(content: str) -> list[str] | None:
    """What stands between brackets, as a program prints it; names may do without quotes."""
    items = _ITEMS.findall(content)
    if _CONTENT.fullmatch(content) is None or _MISSING.intersection(items):
        return None
    return [ast.literal_eval(item) if item[0] in "'\"" else item for item in items]
