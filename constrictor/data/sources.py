"""Read a table from a package, a local file or a hub, and report what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constrictor.data.checks import refuse_other_than_text
from constrictor.data.hub import read_hub
from constrictor.data.spelling import plain
from constrictor.data.surrogates import refuse_surrogates, replace_surrogates
from constrictor.data.tables import HEADER_HINT, as_text, is_collection, read_table
from constrictor.errors import ConstrictorError, nearest
from constrictor.study.local_sources import package_path
from constrictor.study.sources import HubDataset, LocalFile, PackageFile, TableFile

if TYPE_CHECKING:
    import pandas as pd


def read_source(
    source: PackageFile | LocalFile | HubDataset,
    filter_: Mapping[str, Any],
    columns: list[str],
    texts: Sequence[str] = (),
    lists: Sequence[str] = (),
) -> tuple[pd.DataFrame, int]:
    """The rows of a source that pass the filter, with the named columns as text; the index holds the rows' ids.

    Args:
        source: where the rows are.
        filter_: column -> value or list of values to keep; compared by their plain spelling.
        columns: the columns that are needed.
        texts: those of them that are to hold texts.
        lists: those of them that may hold lists, which become JSON.

    Returns:
        The rows; and the number of those in whose text halves of characters were replaced.

    Raises:
        ConstrictorError: a missing file, package or column, a wrong encoding, a damaged file, no rows left, numbers
            instead of text.
    """
    others = [column for column in columns if column not in texts]
    place, table = read_rows(source, filter_, columns, whole=others)
    _refuse_lists(table, [column for column in columns if column not in lists], place)
    repaired = replace_surrogates(table, texts)
    for column in texts:
        refuse_other_than_text(table, column, place)
    result = table[list(dict.fromkeys(columns))].copy()
    for column in result.columns:
        result[column] = result[column].map(_list_as_text if column in lists else as_text)
    result.index = table.index.map(str)
    return result, repaired


def read_rows(
    source: PackageFile | LocalFile | HubDataset,
    filter_: Mapping[str, Any],
    columns: list[str],
    read_file: Callable[[Path, TableFile], pd.DataFrame] = read_table,
    whole: Sequence[str] = (),
) -> tuple[str, pd.DataFrame]:
    """The rows of a source that pass the filter, with all columns and all cells as they are.

    Args:
        source: where the rows are.
        filter_: column -> value or list of values to keep; compared by their plain spelling.
        columns: the columns that are needed.
        read_file: reads a file on this machine, written as the source states.
        whole: those columns in which no character may be cut in half; so are those of the filter.

    Returns:
        What to call the source in messages, and the rows; the index holds their numbers in the source.

    Raises:
        ConstrictorError: a missing file, package or column, a wrong encoding, a damaged file, no rows left.
    """
    place, table = read_hub(source) if isinstance(source, HubDataset) else _read_file(source, read_file)
    for column in [*columns, *filter_]:
        if column not in table.columns:
            raise ConstrictorError(
                f"{place} has no column '{column}'. {nearest(column, map(str, table.columns))} "
                f"{_header_hint(table, source)}".rstrip()
            )
    if table.empty:
        raise ConstrictorError(f"{place} has no rows. Name another file or split.")
    _refuse_lists(table, filter_, place)
    table = table.reset_index(drop=True)
    refuse_surrogates(table, [*whole, *filter_], place)
    for column, wanted in filter_.items():
        values = [as_text(value) for value in (wanted if isinstance(wanted, list) else [wanted])]
        present = table[column].map(as_text)
        kept = table[present.map(plain).isin(set(map(plain, values)))]
        if kept.empty:
            some = ", ".join(sorted(present.unique())[:10])
            raise ConstrictorError(f"{place}: no row has {column} = {' or '.join(values)}. The column holds: {some}.")
        table = kept
    return place, table


def _header_hint(table: pd.DataFrame, source: object) -> str:
    """What may be wrong with the first line of a file that lacks a column."""
    if len(table.columns) == 1:
        return "It has a single column: is it separated by something else?"
    if isinstance(source, TableFile) and source.is_delimited and source.header:
        return HEADER_HINT
    return ""


def _refuse_lists(table: pd.DataFrame, columns: Iterable[str], place: str) -> None:
    """Refuse columns of which any row, not only the first, holds something else than text or a number."""
    for column in columns:
        wrong = next(((row, cell) for row, cell in table[column].items() if is_collection(cell)), None)
        if wrong:
            raise ConstrictorError(
                f"{place}: the column '{column}' holds lists ({type(wrong[1]).__name__} in row {wrong[0]}, counted from 0) "
                "and must hold text or numbers."
            )


def _list_as_text(cell: Any) -> str:
    """A list as JSON, with its items as text, and lists in it as lists, whatever they hold; anything else as text."""
    if not is_collection(cell):
        return as_text(cell)
    return json.dumps([[str(item)] if is_collection(item) else as_text(item) for item in cell], ensure_ascii=False)


def _read_file(
    source: PackageFile | LocalFile, read_file: Callable[[Path, TableFile], pd.DataFrame]
) -> tuple[str, pd.DataFrame]:
    path = package_path(source.package, source.file) if isinstance(source, PackageFile) else Path(source.path)
    return str(path), read_file(path, source)
