"""Read a table from a package, a local file or a hub, and say plainly what is wrong with it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constrictor.data.hub import read_hub
from constrictor.errors import ConstrictorError, nearest
from constrictor.study.local_sources import package_path
from constrictor.study.sources import HubDataset, LocalFile, PackageFile

if TYPE_CHECKING:
    import pandas as pd


def read_source(
    source: PackageFile | LocalFile | HubDataset, filter_: Mapping[str, Any], columns: list[str]
) -> pd.DataFrame:
    """The rows of a source that pass the filter, with the named columns as text and an ``id`` column.

    Args:
        source: where the rows are.
        filter_: column -> value or list of values to keep; compared as text.
        columns: the columns that are needed.

    Raises:
        ConstrictorError: a missing file, package or column, a wrong encoding, a damaged file, no rows left.
    """
    place, table = read_hub(source) if isinstance(source, HubDataset) else _read_file(source)
    for column in [*columns, *filter_]:
        if column not in table.columns:
            raise ConstrictorError(f"{place} has no column '{column}'. {nearest(column, map(str, table.columns))}")
    if table.empty:
        raise ConstrictorError(f"{place} has no rows.")
    _refuse_lists(table, [*columns, *filter_], place)
    table = table.reset_index(drop=True)  # its index is the row's id
    for column, wanted in filter_.items():
        values = [_as_text(value) for value in (wanted if isinstance(wanted, list) else [wanted])]
        present = table[column].map(_as_text)
        kept = table[present.isin(values)]
        if kept.empty:
            some = ", ".join(sorted(present.unique())[:10])
            raise ConstrictorError(f"{place}: no row has {column} = {' or '.join(values)}. The column holds: {some}.")
        table = kept
    result = table[list(dict.fromkeys(columns))].copy()
    for column in result.columns:
        result[column] = result[column].map(_as_text)
    result["id"] = [str(row) for row in table.index]
    return result.reset_index(drop=True)


def _refuse_lists(table: pd.DataFrame, columns: list[str], place: str) -> None:
    for column in columns:
        first = table[column].iloc[0]
        if hasattr(first, "__len__") and not isinstance(first, str):
            raise ConstrictorError(
                f"{place}: the column '{column}' holds lists ({type(first).__name__}) and must hold text or numbers."
            )


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return bool(pd.isna(value))


def _as_text(value: Any) -> str:
    """A cell as text: whole floats lose their ``.0``, since a column with gaps reads 1 as 1.0."""
    if _is_missing(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read_file(source: PackageFile | LocalFile) -> tuple[str, pd.DataFrame]:
    path = package_path(source.package, source.file) if isinstance(source, PackageFile) else Path(source.path)
    if not path.is_file():
        raise ConstrictorError(f"the file {path} does not exist (looked in {Path.cwd()}).")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConstrictorError(
            f"{path}: files that end in '{path.suffix}' cannot be read. Known: {', '.join(_READERS)}."
        )
    try:
        table = reader(path)
    except UnicodeDecodeError as error:
        raise ConstrictorError(
            f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} cannot be read. Convert it first, "
            f"for example: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8{path.suffix}"
        ) from None
    except Exception as error:  # each parser has exceptions of its own
        reason = "it is empty" if path.stat().st_size == 0 else f"{type(error).__name__}: {error}"
        raise ConstrictorError(f"{path} cannot be read: {reason}") from None
    if path.suffix.lower() in (".csv", ".tsv") and not _is_plain(table):
        raise ConstrictorError(
            f"{path}: the rows have more fields than the header names columns. Put texts that hold a comma in quotes."
        )
    return str(path), table


def _is_plain(table: pd.DataFrame) -> bool:
    """Whether pandas has taken no column for the index, as it does where rows are longer than the header."""
    import pandas as pd

    return isinstance(table.index, pd.RangeIndex)


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _read_tsv(path: Path) -> pd.DataFrame:
    import pandas as pd

    # ASSUME: quotes in a TSV are part of the text, as in the files of GLUE.
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig", quoting=csv.QUOTE_NONE)


def _read_jsonl(path: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_json(path, lines=True, dtype=False, encoding="utf-8")


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(path)


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
