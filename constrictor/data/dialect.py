"""How a table in text form is written: its encoding, what separates its fields, and how it writes quotes.

The first line decides on the separator: texts are full of commas, names of columns are not. `csv.Sniffer` counts characters in
all lines alike, and a column of prose leads it astray. Quotes are followed through the whole file: a parser that meets text
behind a closing quote, as in ``"so \\"to\\" speak"``, would take it for a part of the field, and damage it.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from constrictor.errors import ConstrictorError
from constrictor.study.sources import Quoting, TableFile

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 65_536
"""Characters in which the separator is sought; no field of them can be longer than the csv module allows."""

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_EXCEL_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)


class Dialect(NamedTuple):
    """How a table is written.

    Attributes:
        separator: what stands between two fields.
        quoting: how quotes are written in fields that quotes enclose; or `none`, and quotes are part of the text.
        names: the fields of the first line.
        skip: lines before it.
    """

    separator: str
    quoting: Quoting
    names: list[str]
    skip: int = 0


def read_text(path: Path) -> str:
    """A file's text, unpacked where its name ends in ``.gz``; UTF-8, or UTF-16 where the file has a byte order mark.

    Raises:
        ConstrictorError: if the file holds zero bytes, as no text does.
    """
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:
        content = stream.read()
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    zero = content.find(b"\0") if encoding != "utf-16" else -1
    text = content.decode(encoding) if zero < 0 else ""
    if zero >= 0 or "\0" in text:
        line = content[:zero].count(b"\n") + 1 if zero >= 0 else _line_of(text, text.index("\0"))
        raise ConstrictorError(
            f"{path} holds zero bytes, so it is no text file (or UTF-16 without a byte order mark); the first one is in line "
            f"{line}. Save it as UTF-8, or remove them, for example: tr -d '\\0' < {path.name} > clean{path.suffix}"
        )
    return text


def find_dialect(text: str, path: Path, written: TableFile) -> Dialect:
    """How a CSV or TSV file is written.

    A file whose name ends in ``.tsv`` is separated by tabs. In others an Excel line ``sep=;`` decides; else the separator
    that splits the first line into two or more fields and most rows into as many; else it is a comma.

    Args:
        text: the file's text.
        path: the file.
        written: what the study states of it.

    Raises:
        ConstrictorError: if its quotes enclose fields in no known way.
    """
    excel = _EXCEL_LINE.match(text)
    body = text[excel.end() :] if excel else text
    if path.name.removesuffix(".gz").lower().endswith(".tsv"):
        separator = "\t"
    else:
        separator = excel[1] if excel else find_separator(body[:SAMPLE], whole=len(body) <= SAMPLE)
    quoting = written.quoting or find_quoting(body, separator)
    if separator != "\t" or written.quoting:
        _refuse_stray_quotes(body, separator, quoting, path)
    names = next(iter(_records(body[:SAMPLE], separator, quoting != "none")), [])
    return Dialect(separator, quoting, [name.strip() for name in names], int(bool(excel)))


def find_separator(sample: str, *, whole: bool = True) -> str:
    """The separator that splits the first line into two or more fields and most rows into as many.

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


def find_quoting(text: str, separator: str) -> Quoting:
    r"""How quotes are written.

    Where `\"` occurs, as Spark and MySQL write a quote, that way is taken in which more rows have as many fields as the first
    line. In files separated by tabs, quotes may also be part of the text (:func:`_find_quoting_with_tabs`).

    >>> find_quoting('text,label\n"so \\"to\\" speak",good\n', ",")
    'escaped'
    >>> find_quoting('text,label\n"C:\\",good\n"so ""to"" speak",bad\n', ",")
    'doubled'
    """
    if '"' not in text:
        return "none"
    if separator == "\t":
        return _find_quoting_with_tabs(text)
    if '\\"' in text and _share_of_whole_rows(text, separator, "escaped") > _share_of_whole_rows(
        text, separator, "doubled"
    ):
        return "escaped"
    return "doubled"


def _find_quoting_with_tabs(text: str) -> Quoting:
    """How quotes are written in a tab-separated file.

    Two habits exist: pandas and Excel put a text with a quote, tab or line end in quotes and double those within; in the
    files of GLUE, quotes are part of the text. Where every line has as many tabs, only doubled quotes or a quoted first field
    show the first convention; where lines differ, texts with line ends or tabs must have been quoted, or the file is damaged.
    """
    same_tabs = len({line.count("\t") for line in re.split(r"\r\n|\n|\r", text) if line}) == 1
    if not same_tabs or text.startswith('"') or '""' in text:
        one_line = r"\t\r\n" if same_tabs else ""
        if re.fullmatch(rf'(?:(?:"(?:[^"{one_line}]|"")*+"|[^"\t\r\n]*+)(?:\t|\r\n|\n|\r|\Z))*+', text):
            return "doubled"
    if '\\"' in text and re.fullmatch(r'(?s:(?:"(?:[^"\\]|\\.)*+"|[^"\t\r\n]*+)(?:\t|\r\n|\n|\r|\Z))*+', text):
        return "escaped"
    return "none"


_ENCLOSED = {"doubled": r'"(?:[^"]++|"")*+"', "escaped": r'"(?:[^"\\]++|\\.)*+"'}


@cache
def _field(separator: str, quoting: Quoting) -> re.Pattern[str]:
    """A field, and what ends it. In a field that quotes do not enclose, they are part of the text."""
    mark = re.escape(separator)
    return re.compile(rf"({_ENCLOSED[quoting]}|[^\"{mark}\r\n][^{mark}\r\n]*+|)({mark}|\r\n|\n|\r|\Z)", re.DOTALL)


@cache
def _fields(separator: str, quoting: Quoting) -> re.Pattern[str]:
    return re.compile(rf"(?:{_field(separator, quoting).pattern})*+", re.DOTALL)


def _share_of_whole_rows(text: str, separator: str, quoting: Quoting) -> float:
    """Share of the rows with as many fields as the first one; 0 if the quotes are not written so."""
    if _fields(separator, quoting).fullmatch(text) is None:
        return 0.0
    widths, width = [], 0
    for field in _field(separator, quoting).finditer(text):
        width += 1
        if field[2] != separator:
            widths += [width] if width > 1 or field[1] else []
            width = 0
    return sum(width == widths[0] for width in widths) / len(widths)


def _refuse_stray_quotes(text: str, separator: str, quoting: Quoting, path: Path) -> None:
    """Refuse fields that begin with a quote and do not end with one."""
    if quoting == "none":
        return
    found = _fields(separator, quoting).match(text)
    end = found.end() if found else 0
    if end == len(text):
        return
    enclosed = re.compile(_ENCLOSED[quoting], re.DOTALL).match(text, end)
    if enclosed:
        place = enclosed.end()
        what = (
            f"in line {_line_of(text, place)}, text follows a closing quote: {text[max(place - 20, 0) : place + 20]!r}"
        )
    else:
        what = f"a quote that is opened in line {_line_of(text, end)} is never closed"
    raise ConstrictorError(
        f'{path} cannot be read: {what}. Fields in quotes have quotes within them doubled, or written as \\" throughout the '
        "file. If quotes are part of the texts and enclose nothing, add 'quoting: none' to the source."
    )


def _line_of(text: str, place: int) -> int:
    return len(re.findall(r"\r\n|\n|\r", text[:place])) + 1


def double_quotes(text: str, separator: str) -> str:
    r"""A text whose quotes are escaped, with doubled ones instead; a backslash before another character is part of the text.

    >>> print(double_quotes('"so \\"to\\" speak","C:\\\\","\\n"', ","))
    "so ""to"" speak","C:\","\n"
    """

    def rewrite(field: re.Match[str]) -> str:
        if not field[1].startswith('"'):
            return field[0]
        content = re.sub(r'\\(["\\\r\n])', lambda escaped: escaped[1] * (1 + (escaped[1] == '"')), field[1][1:-1])
        return f'"{content}"{field[2]}'

    return _field(separator, "escaped").sub(rewrite, text)
