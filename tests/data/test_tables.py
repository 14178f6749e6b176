import codecs
import csv
import gzip
import io
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from constrictor.data.dialect import find_separator
from constrictor.data.tables import read_table
from constrictor.errors import ConstrictorError
from constrictor.study.sources import LocalFile, TableFile

PROSE = [
    'well, well, "fine"; a|b\tc',
    "two\nlines",
    "windows\r\nline",
    "আমি বাংলায় গান গাই।",
    "\U0001f600 é",
    "NA",
    "1.0",
    "'",
    '"',
    '""',
    "a,b,c,d",
]
ANY_TEXT = st.one_of(
    st.sampled_from(PROSE),
    st.text(alphabet=st.sampled_from("ab ,;|\t\"'\n।কা\U0001f600é=\\#"), max_size=12),
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
)
# A row of nothing but white space is a blank line; every other row must come back.
ROWS = st.lists(st.tuples(ANY_TEXT, st.sampled_from(["good", "bad, very", "1"])), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def _rows(path) -> list[tuple[str, str]]:
    return list(read_table(path)[["text", "label"]].itertuples(index=False, name=None))


def _csv(rows, separator, line_end, quoting) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator, lineterminator=line_end, quoting=quoting).writerows(
        [("text", "label"), *rows]
    )
    return stream.getvalue()


@given(
    ROWS,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
    st.booleans(),
)
def test_every_dialect_of_csv_reads_back(folder, rows, separator, line_end, quoting, encoding, excel, packed):
    content = (f"sep={separator}{line_end}" if excel else "") + _csv(rows, separator, line_end, quoting)
    path = folder / ("a.csv.gz" if packed else "a.csv")
    data = content.encode(encoding)
    path.write_bytes(gzip.compress(data, 1, mtime=0) if packed else data)
    assert _rows(path) == rows


@given(ROWS, st.sampled_from([",", ";", "\t"]))
def test_what_pandas_writes_reads_back(folder, rows, separator):
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(folder / "a.csv", sep=separator, index=False)
    assert _rows(folder / "a.csv") == rows


# With both in one text, '"a<tab>' and 'b"<tab>good' are as likely two rows with a quote each.
NO_TAB_BESIDE_A_LINE_END = ROWS.filter(lambda rows: not any("\t" in text and "\n" in text for text, _ in rows))


@given(NO_TAB_BESIDE_A_LINE_END)
def test_a_tsv_that_pandas_writes_reads_back(folder, rows):
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(folder / "a.tsv", sep="\t", index=False)
    assert _rows(folder / "a.tsv") == rows


@given(st.lists(st.tuples(st.text(alphabet="ab \"'.é", min_size=1, max_size=9), st.sampled_from("01"))))
def test_quotes_of_a_tsv_without_quoting_are_text(folder, rows):
    # Of a lone quoted field nobody can tell; real files have quotes that enclose no whole field.
    rows = [*rows, ('"so" he said', "1"), ('an odd " one', "0")]
    (folder / "g.tsv").write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows), "utf-8")
    assert _rows(folder / "g.tsv") == rows


@given(ROWS, st.sampled_from(["utf-8", "utf-8-sig"]), st.booleans())
def test_json_reads_back(folder, rows, encoding, ascii_only):
    objects = [{"text": text, "label": label} for text, label in rows]
    lines = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in objects)
    (folder / "a.jsonl").write_bytes(lines.encode(encoding))
    (folder / "a.json").write_bytes(json.dumps(objects, ensure_ascii=ascii_only).encode(encoding))
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode(encoding), 1, mtime=0))
    for name in ("a.jsonl", "a.json", "a.jsonl.gz"):
        assert _rows(folder / name) == rows


@pytest.mark.parametrize(
    ("sample", "separator"),
    [
        ("text;label\na, b, c;x\nd, e, f;y\n", ";"),
        ("text,label\na; b; c,x\nd; e; f,y\n", ","),
        ("text\tlabel\na, b; c\tx\n", "\t"),
        ('"text, as it came";label\n"a, b";x\nc;y\n', ";"),
        ("text, as it came;label\na, b;x\nc;y\nd;z\n", ";"),  # the header alone would not tell
        ("text;comment, if any;label\na;b;x\nc;d;y\n", ";"),
        ("text\nwell, well\n", ","),  # one column
        ('text,label\n"one; two\nthree; four",x\n', ","),
    ],
)
def test_the_header_and_the_rows_determine_the_separator(sample, separator):
    assert find_separator(sample) == separator


def test_a_row_that_the_sample_truncates_does_not_count():
    assert find_separator("a,b;c\n1;2\n3,4", whole=False) == ";"


def test_a_long_table_is_not_only_its_beginning(folder):
    rows = [(f"number {number}; {'word, ' * 9}", str(number % 2)) for number in range(3000)]
    (folder / "long.csv").write_text(_csv(rows, ";", "\r\n", csv.QUOTE_MINIMAL), "utf-8", newline="")
    assert _rows(folder / "long.csv") == rows


def test_spaces_around_the_names_of_columns_do_not_count(folder):
    (folder / "s.csv").write_text("text , label\na,b\n")
    assert list(read_table(folder / "s.csv").columns) == ["text", "label"]


def test_json_keeps_dates_large_numbers_and_gaps(folder):
    (folder / "j.jsonl").write_text('{"date": "2020-01-01", "id": 12345678901234567891}\n\n{"date": "x"}\n')
    found = read_table(folder / "j.jsonl")
    assert found["date"].tolist() == ["2020-01-01", "x"]
    assert found["id"].tolist()[0] == 12345678901234567891


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,label,text\na,b,c\n", r"a\.csv has two columns called 'text'\. Give each"),
        ("a.csv", b"text,label, text\na,b,c\n", r"has two columns called 'text'"),
        ("a.tsv", b"text\ttext\na\tb\n", r"has two columns called 'text'"),
        ("a.xlsx", b"PK\x03\x04", r"a\.xlsx is a spreadsheet .* save the sheet as 'CSV UTF-8'"),
        ("a.txt", b"x", r"'\.txt' cannot be read\. Known: \.csv, \.tsv, \.jsonl, \.json, \.parquet"),
        ("a.parquet.gz", b"x", r"a\.parquet\.gz: Parquet is compressed in itself"),
        ("a.csv", b"PK\x03\x04\x00\x00", r"a\.csv holds zero bytes, so it is no text file"),
        ("a.csv", "text,label\na,b\n".encode("utf-16-le"), r"a\.csv holds zero bytes.*UTF-16 without a byte order mark"),
        ("a.csv", b"text;label\na;b;c\n", r"more fields than the header.*a semicolon in quotes"),
        ("a.csv", b"text;label\na;b\nc;d;e\n", r"line 3 has 3 fields and the first line 2\. Put texts"),
        ("a.csv", b'text,label\na,b\n"c,d\ne,f\n', r"a quote that is opened in line 3 is never closed\. .*: none'"),
        ("a.csv", b"\n\n", r"a\.csv cannot be read: it is empty\."),
        ("a.csv", b"text,label\n" + b"a,b\n" * 20_000 + b"a\0,b\n", r"zero bytes.*the first one is in line 20002\. .*tr -d"),
        ("a.csv", "text,label\na\0,b\n".encode("utf-16"), r"zero bytes.*in line 2\."),
        ("a.csv", b'text,label\n"a" b,c\n', r"in line 2, text follows a closing quote: 'text,label\\n\"a\" b,c"),
        ("a.csv", b'text,label\n"a \\"b\\" c",d\n"a ""b"" c",d\n', r"in line 2, text follows .* or written as \\\" throughout"),
        ("a", b"x", r"files that have no ending cannot be read\. Known: \.csv"),
        ("a.json", b'{"text": "a"}\n{"text": "b"}\n', r"If it holds an object a line, let its name end in \.jsonl"),
        ("a.csv.gz", b"text,label\na,b\n", r"a\.csv\.gz cannot be read: BadGzipFile"),
        ("a.csv.gz", gzip.compress(b"text,label\na,b\n" * 99, mtime=0)[:-9], r"a\.csv\.gz cannot be read: EOFError"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', r"a\.jsonl cannot be read: line 2 is no JSON"),
        ("a.jsonl", b'["a", "b"]\n', r"a\.jsonl cannot be read: it must hold objects like"),
        ("a.json", b'{"data": []}', r"a\.json cannot be read: it must hold objects like"),
        ("a.json", b"[{]", r"a\.json cannot be read: JSONDecodeError"),
        ("a.csv", codecs.BOM_UTF16_LE + b"a\x00b", r"a\.csv (cannot be read|is not UTF-16)"),
        ("a.csv.gz", gzip.compress("text\n\xe9t\xe9".encode("latin-1"), mtime=0), r"a\.csv\.gz is not UTF-8: byte 0xe9"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_clear_message(folder, name, content, message):
    (folder / name).write_bytes(content)
    with pytest.raises(ConstrictorError, match=message):
        read_table(folder / name)


def _escaped(rows, separator, line_end) -> str:
    """As Spark, MySQL and pandas with an escape character write texts."""
    written = [("text", "label"), *rows]
    fields = [['"' + cell.replace("\\", "\\\\").replace('"', '\\"') + '"' for cell in row] for row in written]
    return "".join(separator.join(row) + line_end for row in fields)


ESCAPED = '"so to speak," she said; "well"\tand | left'


@given(ROWS, st.sampled_from([",", ";", "|", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_escaped_quotes_are_read_as_quotes(folder, rows, separator, line_end):
    rows = [
        *rows,
        (ESCAPED, "good"),
    ]  # without a quote in them, the two ways differ in nothing that could be recognised
    (folder / "e.csv").write_bytes(_escaped(rows, separator, line_end).encode())
    assert _rows(folder / "e.csv") == rows


def test_escaped_quotes_are_read_from_tsv(folder):
    rows = [(ESCAPED, "good"), ("C:\\new", "bad")]
    (folder / "e.tsv").write_bytes(_escaped(rows, "\t", "\n").encode())
    assert _rows(folder / "e.tsv") == rows


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('"C:\\",x\n"so ""to"" speak",y\n', "C:\\"),  # a backslash at the end, and quotes doubled
        ('"say ""\\""",x\n"b",y\n', 'say "\\"'),
        ('he said \\"hi\\" twice,x\nb,y\n', 'he said \\"hi\\" twice'),  # nothing is enclosed
        ('"a \\"b, c\\", d\\"",x\n"b",y\n', 'a "b, c", d"'),
        ('"a\\nb \\"c\\"",x\n"b",y\n', 'a\\nb "c"'),  # Spark escapes quotes only
    ],
)
def test_a_backslash_is_text_unless_quotes_are_escaped(folder, content, text):
    (folder / "b.csv").write_text(f"text,label\n{content}")
    assert _rows(folder / "b.csv")[0] == (text, "x")


STRAY = 'text,label\n"Oh" he said,good\nsize 5" or 6",bad\n"well,good\n'


def test_quotes_that_enclose_nothing_are_text_where_the_study_states_it(folder):
    (folder / "q.csv").write_text(STRAY)
    found = read_table(folder / "q.csv", TableFile(quoting="none"))
    assert found["text"].tolist() == ['"Oh" he said', 'size 5" or 6"', '"well']
    with pytest.raises(ConstrictorError, match=r"in line 2, text follows a closing quote.*'quoting: none'"):
        read_table(folder / "q.csv")


def test_the_stated_quoting_is_used(folder):
    (folder / "q.csv").write_text('text,label\n"a \\",b\n')
    assert read_table(folder / "q.csv", TableFile(quoting="doubled"))["text"].tolist() == ["a \\"]
    with pytest.raises(ConstrictorError, match="a quote that is opened in line 2 is never closed"):
        read_table(folder / "q.csv", TableFile(quoting="escaped"))
    (folder / "q.tsv").write_text('"a"\t"b"\n"c"\td\n')
    assert read_table(folder / "q.tsv", TableFile(quoting="none")).columns.tolist() == ['"a"', '"b"']


@pytest.mark.parametrize("name", ["h.csv", "h.tsv"])
def test_columns_of_a_file_without_a_header_have_numbers(folder, name):
    rows = [("gj04", "1", "", 'Our friends, "won\'t" buy this.'), ("gj04", "0", "*", "The more, the worse")]
    (folder / name).write_text("".join("\t".join(row) + "\n" for row in rows))
    found = read_table(folder / name, TableFile(header=False))
    assert found.columns.tolist() == ["0", "1", "2", "3"]
    assert list(found.itertuples(index=False, name=None)) == rows


def test_the_keys_of_text_files_are_refused_elsewhere():
    assert LocalFile(path="a.CSV.gz", header=False).is_delimited
    for keys in ({"header": False}, {"quoting": "none"}):
        with pytest.raises(ValidationError, match=f"'{next(iter(keys))}' is a key of CSV and TSV files; remove it"):
            LocalFile(path="a.jsonl", **keys)
