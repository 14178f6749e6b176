"""Random edits of small tables: never a traceback, and never a silent change of labels.

Some dozens of files in an ordinary run; `FUZZ_EXAMPLES=2000 pytest tests/data/test_fuzz.py` tries thousands, others each time.
"""

import contextlib
import csv
import gzip
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from constrictor.data.examples import read_examples
from constrictor.errors import ConstrictorError
from constrictor.study.splits import SPLITS
from constrictor.study.tasks import AnyTask
from constrictor.tasks.prepare import prepare_task

MANY = int(os.environ.get("FUZZ_EXAMPLES", "0"))
fuzz = settings(max_examples=MANY or 40, derandomize=not MANY)

CLASSES = [
    ["neg", "pos"], ["0", "1"], ["not good", "good"], ["café", "bar"], ["-1", "0", "1"], ["yes", "no"], ["1.5", "2"],
    ["ভালো", "খারাপ"], ["Sci-Fi & Fantasy", "R&B/Soul"], ["LABEL_0", "LABEL_1"], ["1.1", "1.2"],
]  # fmt: skip
SPELLINGS = [
    lambda text: text,
    lambda text: f" {text}",
    lambda text: f"{text}\u00a0",
    lambda text: text.replace(" ", "  "),
    lambda text: f"{text}.0" if text.lstrip("-").isdigit() else text,
    lambda text: text.replace("é", "e\u0301"),
    str.upper,
    lambda text: f"{text}\u200b",
    lambda text: f"0{text}" if text.isdigit() else text,
]
HARMLESS = 6  # of these spellings, the first are of the same class; mixed with the others, a file is refused
TEXTS = [
    "plain {}", 'a "quoted" {}', "one, two; three {}", "tab\tand | bar {}", "C:\\dir\\ {}", 'ends with a quote {}"',
    "zwei\nZeilen {}", "😀 {}",
]  # fmt: skip


@st.composite
def tables(draw):
    """Rows of text, the name of the class, and the way in which the class is written."""
    names = draw(st.sampled_from(CLASSES))
    forms = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3))
    ways = draw(st.lists(st.integers(0, len(SPELLINGS) - 1), min_size=1, max_size=2))
    return [
        (forms[row % len(forms)].format(row), names[row % len(names)], SPELLINGS[ways[row // len(names) % len(ways)]])
        for row in range(30)
    ]


def _as_csv(rows, separator: str, **options) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator, **options).writerows([("text", "label"), *rows])
    return stream.getvalue().encode()


def _as_escaped_csv(rows) -> bytes:
    if not any('"' in text for text, _ in rows):  # nothing would show that backslashes are escaped
        return _as_csv(rows, ",", quoting=csv.QUOTE_ALL)
    fields = [
        ['"' + cell.replace("\\", "\\\\").replace('"', '\\"') + '"' for cell in row]
        for row in [("text", "label"), *rows]
    ]
    return "".join(",".join(row) + "\n" for row in fields).encode()


def _as_lists(rows) -> bytes:
    return "".join(json.dumps({"text": text, "label": [label]}) + "\n" for text, label in rows).encode()


FORMATS = {
    "comma.csv": lambda rows: _as_csv(rows, ","),
    "semicolon.csv": lambda rows: _as_csv(rows, ";", quoting=csv.QUOTE_ALL),
    "bar.csv": lambda rows: _as_csv(rows, "|", lineterminator="\n"),
    "tab.tsv": lambda rows: _as_csv(rows, "\t", quoting=csv.QUOTE_ALL),
    "escaped.csv": _as_escaped_csv,
    "lines.jsonl": lambda rows: "".join(
        json.dumps({"text": text, "label": label}) + "\n" for text, label in rows
    ).encode(),
    "list.json": lambda rows: json.dumps([{"label": label, "text": text} for text, label in rows]).encode(),
}


def _prepare(folder: Path, name: str, content: bytes, **task) -> list[str]:
    """Prepare a task of a file; its labels."""
    (folder / name).write_bytes(content)
    shares = {"validation": 0.2, "test": 0.2}
    read = {"source": {"path": str(folder / name)}, "split": shares, **task}
    return prepare_task(TypeAdapter(AnyTask).validate_python(read), folder / "task").task.labels


def _classes(folder: Path, names: list[str]) -> dict[str, str]:
    """The class of each text of the prepared task."""
    parts = [read_examples(folder / "task" / f"{split}.parquet") for split in SPLITS]
    return {
        text: names[label if label.ndim == 0 else label.argmax()]
        for part in parts
        for text, label in zip(part.texts, part.labels, strict=True)
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def _unmistakable(rows) -> bool:
    """Whether all labels are in spellings that are one class."""
    return all(spell in SPELLINGS[:HARMLESS] or spell(name) == name for _, name, spell in rows)


@fuzz
@given(tables(), st.sampled_from([*FORMATS, "multi.jsonl"]))
def test_however_labels_are_spelled_every_text_has_its_class_or_the_file_is_refused(folder, rows, name):
    written = [(text, spell(label)) for text, label, spell in rows]
    one = len({spell for *_, spell in rows}) == 1
    lists = name == "multi.jsonl"
    content = _as_lists(written) if lists else FORMATS[name](written)
    kind = {"kind": "multilabel", "metric": "macro_f1"} if lists else {}
    try:
        found = _classes(folder, _prepare(folder, name, content, **kind))
    except ConstrictorError:
        found = {}
    if not found:
        assert not _unmistakable(rows)
        return
    classes: dict[str, set[str]] = {}
    for text, label, _ in rows:
        classes.setdefault(label, set()).add(found[text])
    assert all(len(names) == 1 for names in classes.values())
    assert len(set.union(*classes.values())) == len(classes)
    assert len(found) == len(rows)
    assert one or _unmistakable(rows)


EDITS = [
    b"\0", b'"', b"\\", b'\\"', b",", b"\t", b"\n", b"\r", b"\xff", b"\xef\xbb\xbf", b"[", b"{", b"'", b"\\ud83d", b"null",
    b"1e999", b"",
]  # fmt: skip
TASKS = [
    {},
    {"kind": "multilabel", "metric": "macro_f1"},
    {"kind": "regression", "metric": "pearson"},
]


@fuzz
@given(
    tables(),
    st.sampled_from(list(FORMATS)),
    st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(EDITS), st.integers(0, 3)), min_size=1, max_size=4),
    st.sampled_from(TASKS),
    st.sampled_from(["", ".gz"]),
)
def test_a_damaged_file_is_read_or_refused(folder, rows, name, edits, task, packed):
    content = FORMATS[name]([(text, spell(label)) for text, label, spell in rows])
    content = gzip.compress(content, 1, mtime=0) if packed and edits[0][2] else content
    for place, inserted, removed in edits:
        place %= len(content) + 1
        content = content[:place] + inserted + content[place + removed :]
    with contextlib.suppress(ConstrictorError):
        _prepare(folder, f"damaged_{name}{packed}", content, **task)
