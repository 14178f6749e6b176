"""Read a table from a file as it is written: CSV in its dialects, TSV, JSON, JSON lines, Parquet; text also as ``.gz``."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constrictor.data.dialect import double_quotes, find_dialect, read_text
from constrictor.errors import ConstrictorError
from constrictor.study.sources import TableFile

if TYPE_CHECKING:
    import pandas as pd


def read_table(path: Path, written: TableFile | None = None) -> pd.DataFrame:
    """All rows and columns of a file; cells of CSV and TSV are text, and none of their words means a missing value.

    Args:
        path: the file.
        written: what the study states of the way in which a CSV or TSV file is written; None: nothing.

    Raises:
        ConstrictorError: a missing file, an unknown ending, a wrong encoding, a damaged file, two columns of one name.
    """
    if not path.is_file():
        raise ConstrictorError(f"the file {path} does not exist (looked in {Path.cwd()}).")
    reader = _reader_of(path)
    try:
        return reader(path, written or TableFile())
    except ConstrictorError:
        raise
    except UnicodeDecodeError as error:
        suffix = path.suffix
        raise ConstrictorError(
            f"{path} is not {error.encoding.upper()}: byte 0x{error.object[error.start]:02x} cannot be read. Convert it "
            f"first, for example: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8{suffix}"
        ) from None
    except Exception as error:  # each parser has exceptions of its own
        raise ConstrictorError(f"{path} cannot be read: {_format_parser_error(error, path)}") from None


# Messages of the parsers, and ours for them.
_SAYINGS = {
    r"Expected (\d+) fields in line (\d+), saw (\d+)": (
        "line {1} has {2} fields and the first line {0}. Put texts that hold the separator in quotes; or, if quotes are part "
        "of the texts, add 'quoting: none' to the source."
    ),
    r"No columns to parse": "it is empty.",
    r"Extra data: line 2 ": "it holds more than one value. If it holds an object a line, let its name end in .jsonl.",
}


def _format_parser_error(error: Exception, path: Path) -> str:
    if path.stat().st_size == 0:
        return "it is empty."
    for pattern, saying in _SAYINGS.items():
        if found := re.search(pattern, str(error)):
            return saying.format(*found.groups())
    return f"{type(error).__name__}: {error}"


def as_text(value: Any) -> str:
    """A cell as text: whole floats lose their ``.0``, since a column with gaps reads 1 as 1.0."""
    import pandas as pd

    if not is_collection(value) and pd.isna(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def is_collection(value: Any) -> bool:
    """Whether a cell holds a list, an object, bytes or the like, not text, a number or nothing."""
    return hasattr(value, "__len__") and not isinstance(value, str)


HEADER_HINT = "If the file has no header, add 'header: false' to the source; its columns then have numbers, from 0."

Reader = Callable[[Path, TableFile], "pd.DataFrame"]


def _reader_of(path: Path) -> Reader:
    packed = path.suffix.lower() == ".gz"
    suffix = Path(path.stem).suffix.lower() if packed else path.suffix.lower()
    if suffix in (".xlsx", ".xls", ".ods"):
        raise ConstrictorError(
            f"{path} is a spreadsheet and cannot be read. Open it in its program and save the sheet as 'CSV UTF-8'."
        )
    if packed and suffix == ".parquet":
        raise ConstrictorError(f"{path}: Parquet is compressed in itself. Unpack the file: gunzip {path.name}")
    if suffix not in _READERS:
        ending = suffix or path.suffix
        raise ConstrictorError(
            f"{path}: files that {f'end in {ending!r}' if ending else 'have no ending'} cannot be read. Known: "
            f"{', '.join(_READERS)}; all but the last also with .gz behind."
        )
    return _READERS[suffix]


def _read_delimited(path: Path, written: TableFile) -> pd.DataFrame:
    import pandas as pd

    text = read_text(path)
    dialect = find_dialect(text, path, written)
    twice = [name for name, count in Counter(filter(None, dialect.names)).items() if count > 1]
    if twice and written.header:
        raise ConstrictorError(f"{path} has two columns called '{twice[0]}'. Give each its own name. {HEADER_HINT}")
    table = pd.read_csv(
        io.StringIO(double_quotes(text, dialect.separator) if dialect.quoting == "escaped" else text, newline=""),
        sep=dialect.separator,
        quoting=csv.QUOTE_NONE if dialect.quoting == "none" else csv.QUOTE_MINIMAL,
        header=0 if written.header else None,
        skiprows=dialect.skip,
        dtype=str,
        keep_default_na=False,
    )
    if not isinstance(table.index, pd.RangeIndex):  # what pandas makes of rows that are longer than the header
        raise ConstrictorError(
            f"{path}: the rows have more fields than the header names columns. Put texts that hold a "
            f"{_SEPARATOR_NAMES.get(dialect.separator, repr(dialect.separator))} in quotes. {HEADER_HINT}"
        )
    return table.rename(columns=lambda name: str(name).strip())


_SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}


def _read_json_lines(path: Path, written: TableFile) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(io.StringIO(read_text(path), newline=""), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise ConstrictorError(f"{path} cannot be read: line {number} is no JSON ({error}).") from None
    return _table_of(rows, path)


def _read_json(path: Path, written: TableFile) -> pd.DataFrame:
    return _table_of(json.loads(read_text(path)), path)


def _table_of(rows: Any, path: Path) -> pd.DataFrame:
    import pandas as pd

    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConstrictorError(
            f'{path} cannot be read: it must hold objects like {{"text": "...", "label": "..."}}, in a list (.json) or one '
            "a line (.jsonl)."
        )
    # As objects: a column of whole numbers with gaps would become one of floats.
    return pd.DataFrame(rows, dtype=object)


def _read_parquet(path: Path, written: TableFile) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(path)


_READERS: dict[str, Reader] = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".jsonl": _read_json_lines,
    ".json": _read_json,
    ".parquet": _read_parquet,
}
