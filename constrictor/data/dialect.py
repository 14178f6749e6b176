"""How a table in text form is written: its encoding, what separates its fields, and whether quotes enclose them.

The header line decides: texts are full of commas, names of columns are not. `csv.Sniffer` counts characters in all
lines alike, and a column of prose leads it astray.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, NamedTuple

from constrictor.errors import ConstrictorError

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 65_536
"""Characters that are examined; no field of them can be longer than the csv module allows."""

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_EXCEL_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)

# A table whose every quote encloses a field or is doubled within one; on one line, or over several.
_ENDS = r"(?:\t|\r\n|\n|\r|\Z)"
_QUOTED_IN_LINES = re.compile(rf'(?:(?:"(?:[^"\t\r\n]|"")*+"|[^"\t\r\n]*+){_ENDS})*+')
_QUOTED = re.compile(rf'(?:(?:"(?:[^"]|"")*+"|[^"\t\r\n]*+){_ENDS})*+')


class Dialect(NamedTuple):
    """How a table is written.

    Attributes:
        separator: what stands between two fields.
        quoted: whether quotes enclose fields; otherwise they are part of the text.
        names: the header.
        skip: lines before the header.
    """

    separator: str
    quoted: bool
    names: list[str]
    skip: int = 0


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """A file's text, unpacked where its name ends in ``.gz``; UTF-8, or UTF-16 where the file has a byte order mark.

    Raises:
        ConstrictorError: if the file holds zero bytes, as no text does.
    """
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:
        start = stream.read(SAMPLE)
        stream.seek(0)
        encoding = next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")
        if b"\0" in start and encoding != "utf-16":
            raise ConstrictorError(
                f"{path} holds zero bytes, so it is no text file (or UTF-16 without a byte order mark). Save it as UTF-8."
            )
        yield io.TextIOWrapper(stream, encoding=encoding, newline="")


def find_dialect(path: Path) -> Dialect:
    """How a CSV or TSV file is written.

    A file whose name ends in ``.tsv`` is separated by tabs. In others an Excel line ``sep=;`` decides; else the separator
    that splits the header into two or more fields and most rows into as many; else it is a comma.
    """
    with open_text(path) as stream:
        sample = stream.read(SAMPLE)
    excel = _EXCEL_LINE.match(sample)
    if excel:
        sample = sample[excel.end() :]
    if path.name.removesuffix(".gz").lower().endswith(".tsv"):
        separator = "\t"
    else:
        separator = excel[1] if excel else find_separator(sample, whole=len(sample) < SAMPLE)
    quoted = separator != "\t" or _has_quoted_fields(path)
    names = next(iter(_records(sample, separator, quoted)), [])
    return Dialect(separator, quoted, [name.strip() for name in names], int(bool(excel)))


def find_separator(sample: str, *, whole: bool = True) -> str:
    """The separator that splits the header into two or more fields and most rows into as many as the header.

    Args:
        sample: the beginning of a file.
        whole: whether it is all of it; otherwise its last row may be cut off and does not count.

    >>> find_separator("text;label\\nwell, well, well;good\\n")
    ';'
    """
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        records = _records(sample, separator, quoted=True)
        lengths = [len(record) for record in (records if whole or len(records) < 3 else records[:-1])]
        if lengths and lengths[0] > 1:
            score = sum(length == lengths[0] for length in lengths) / len(lengths), lengths[0]
            if score > best_score:
                best, best_score = separator, score
    return best


def _records(sample: str, separator: str, quoted: bool) -> list[list[str]]:
    lines = io.StringIO(sample, newline="")
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return [record for record in csv.reader(lines, delimiter=separator, quoting=quoting) if record]


def _has_quoted_fields(path: Path) -> bool:
    """Whether the quotes of a tab-separated file enclose fields.

    Two habits exist: pandas and Excel put a text with a quote, tab or line end in quotes and double those within; in the
    files of GLUE, quotes are part of the text. Where every line has as many tabs, only doubled quotes or a quoted header
    show the first convention; where lines differ, texts with line ends or tabs must have been quoted, or the file is damaged.
    """
    with open_text(path) as stream:
        text = stream.read()
    if '"' not in text:
        return False
    tabs = {line.count("\t") for line in re.split(r"\r\n|\n|\r", text) if line}
    if len(tabs) > 1:
        return _QUOTED.fullmatch(text) is not None
    return (text.startswith('"') or '""' in text) and _QUOTED_IN_LINES.fullmatch(text) is not None
