"""Markdown tables that fit into a terminal: columns that do not are continued in a further table of the same recipes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence

from constrictor.comparison.row import Row

Column = tuple[str, Callable[[Row], str]]
"""Title and cell."""

WIDTH = 120
"""Characters of a line."""

_WORDS = {"recipe", "steps"}  # columns of words stand left, numbers right


def wrapped(text: str) -> str:
    """A paragraph in lines of the width of a page."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def tables(groups: Iterable[Sequence[Column]], rows: Sequence[Row]) -> list[str]:
    """Tables of the recipes that fit into the width of a page; columns of one group stand together where they can."""
    recipe = _padded(("recipe", lambda row: row.recipe or ""), rows)
    found = [[recipe]]
    for group in groups:
        padded = [_padded(column, rows) for column in group]
        for together in [padded] if _fits([recipe, *padded]) else [[column] for column in padded]:
            if len(found[-1]) > 1 and not _fits([*found[-1], *together]):
                found.append([recipe])
            found[-1] += together
    return ["\n".join(_lines(table)) for table in found]


def _fits(table: Sequence[list[str]]) -> bool:
    return len(_lines(table)[0]) <= WIDTH


def _lines(table: Sequence[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in zip(*table, strict=True)]


def _padded(column: Column, rows: Sequence[Row]) -> list[str]:
    """Title, rule and cells of a column, as wide as the widest, so that it reads well on a terminal too."""
    title, cell = column
    cells = [title, *map(cell, rows)]
    width = max(3, *map(len, cells))
    rule = f":{'-' * (width - 1)}" if title in _WORDS else f"{'-' * (width - 1)}:"
    justify = str.ljust if title in _WORDS else str.rjust
    head, *body = [justify(text, width) for text in cells]
    return [head, rule, *body]
