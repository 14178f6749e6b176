import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrictor.data.sources import read_source
from constrictor.errors import ConstrictorError
from constrictor.study.sources import LocalFile
from constrictor.tasks.multilabel.lists import labels_in, read_lists

LISTS = [["drama"], ["comedy", "it's 1, 2"], [], ["drama", 'so-called "horror"', "ünïcode\\"]]
LABELS = st.lists(st.text(min_size=1).filter(lambda text: text == text.strip() and text), max_size=4)


def _read(cells: list[str], separator: str = ",") -> list[list[str]]:
    return read_lists(pd.Series(cells, [str(row) for row in range(len(cells))], name="genres"), separator)


@pytest.mark.parametrize("write", [str, json.dumps, lambda labels: json.dumps(labels, ensure_ascii=False), tuple, repr])
def test_lists_are_read_as_programs_print_them(write):
    assert _read([str(write(labels)) for labels in LISTS]) == LISTS


def test_arrays_are_read_as_numpy_prints_them():
    assert _read([str(np.array(labels, dtype=object)) for labels in LISTS]) == LISTS


@given(LABELS)
def test_every_list_reads_back(labels):
    assert labels_in(json.dumps(labels)) == labels_in(str(labels)) == labels


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_lists_are_read_from_every_format(tmp_path, suffix):
    table = pd.DataFrame({"text": [f"text {row}" for row in range(5)], "genres": [None, *LISTS]})
    file = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        table.to_parquet(file)
    elif suffix.startswith("json"):
        table.to_json(file, orient="records", lines=suffix == "jsonl")
    else:
        table.to_csv(file, index=False, sep="\t" if suffix == "tsv" else ",")
    found, _ = read_source(LocalFile(path=str(file)), {}, ["text", "genres"], ["text"], ["genres"])
    assert read_lists(found["genres"], ",") == [[], *LISTS]


def test_texts_are_separated():
    assert _read(["a; b", "", "(odd) ;a", "[unknown]"], ";") == [["a", "b"], [], ["(odd)", "a"], ["[unknown]"]]
    assert _read(["[a] | [b]", "(c) d"], "|") == [["[a]", "[b]"], ["(c) d"]]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["['a']", "a, b"], r"'genres' holds \['a'\] \(row 0, .*a list of labels, and a, b \(row 1\), which is none"),
        (["a, b", "", "[]"], r"holds \[\] \(row 2, .*and a, b \(row 0\)"),
        (["['a']", "['b'"], r"and \['b' \(row 1\), which is none\. Write all rows as JSON"),
        (["['a']", "['b', 'c' 'd']"], r"and \['b', 'c' 'd'\] \(row 1\)"),
        (["['a']", "['b', None]"], r"and \['b', None\] \(row 1\)"),
        (['["a"]', '["b", null]'], r'and \["b", null\] \(row 1\)'),
        (['["a"]', '[["b"], "c"]'], r'and \[\["b"\], "c"\] \(row 1\)'),
        (['["a"]', '{"b": 1}'], r'and \{"b": 1\} \(row 1\)'),
        (["[0, 1, 1]", "[1, 0, 0]"], r"hold zeros and ones and not the names of labels\..*'columns\.labels'"),
    ],
)  # fmt: skip
def test_what_is_no_list_beside_lists_is_refused_with_its_row(cells, message):
    with pytest.raises(ConstrictorError, match=message):
        _read(cells)
