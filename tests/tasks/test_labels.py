import numpy as np
import pandas as pd
import pytest
from heads import kind_with

from constrictor.data.splits import stratified_split
from constrictor.errors import ConstrictorError
from constrictor.study.tasks import ClassificationTask, MultilabelTask, RegressionTask
from constrictor.tasks.registry import reader_of

SOURCE = {"path": "data.csv"}


def _read(kind, cells: dict[str, list[str]], **settings):
    frame = pd.DataFrame(cells)
    frame.index = frame.index.map(str)
    task = kind.model_validate({"kind": kind.model_fields["kind"].annotation.__args__[0], "source": SOURCE, **settings})
    return reader_of(task.kind).read_labels(task, frame)


def test_a_column_a_label():
    found = _read(
        MultilabelTask,
        {"rude": ["1", "0", "True"], "threat": ["0", "0", "yes"]},
        columns={"labels": ["rude", "threat"]},
    )
    assert found.names == ["rude", "threat"]
    assert found.values.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert kind_with(found.names, "multilabel").count(found.values) == {"rude": 2, "threat": 1}


def test_one_column_that_lists_the_labels():
    found = _read(MultilabelTask, {"label": ["b; a", "", "a"]}, columns={"separator": ";"})
    assert found.names == ["a", "b"]
    assert found.values.tolist() == [[1, 1], [0, 0], [1, 0]]


def test_values():
    found = _read(RegressionTask, {"label": ["0.5", " 3", "-1e1"]})
    assert found.values.tolist() == [0.5, 3, -10]
    assert found.values.dtype == np.float32


FLAGS = {"columns": {"labels": ["rude", "threat"]}}


@pytest.mark.parametrize(
    ("kind", "columns", "settings", "message"),
    [
        (
            MultilabelTask,
            {"rude": ["1", "2"], "threat": ["0", "1"]},
            FLAGS,
            "'rude'.* holds '2' .row 1, .*Allowed: 1, 0",
        ),
        (MultilabelTask, {"rude": ["1", ""], "threat": ["0", "1"]}, FLAGS, "1 rows have no label .column 'rude'"),
        (MultilabelTask, {"rude": ["1", "1"], "threat": ["0", "0"]}, FLAGS, "no row has the label 'threat'"),
        (
            MultilabelTask,
            {"rude": ["1", "0"], "threat": ["1", "0"]},
            {**FLAGS, "refuse_unlabelled": True},
            "1 rows have none of the labels; the first, counted from 0: 1",
        ),
        (MultilabelTask, {"label": ["a,b", "c"]}, {"labels": ["a", "b"]}, "not in 'labels', the first is 'c'"),
        (
            MultilabelTask,
            {"label": ["a", "a"]},
            {},
            "holds one label only .a.: a task needs two or more. Are its labels sep",
        ),
        (RegressionTask, {"label": ["1", "2,5"]}, {}, "holds '2,5' .row 1, .*numbers, with a decimal point"),
        (RegressionTask, {"label": ["1", "two"]}, {}, "holds 'two' .row 1, .*needs numbers.*'kind: classification'"),
        (RegressionTask, {"label": ["1", ""]}, {}, "1 rows have no label"),
        (RegressionTask, {"label": ["1", "inf"]}, {}, "infinite"),
        (RegressionTask, {"label": ["1", "1"]}, {}, "all rows have the value 1"),
        (
            ClassificationTask,
            {"label": ["a", "b", "c"]},
            {"metric": "f1"},
            "second of two classes, and this task has 3",
        ),
        (ClassificationTask, {"label": [f"{n / 7}" for n in range(99)]}, {}, "99 different labels.*'kind: regression'"),
    ],
)
def test_labels_of_no_use_are_refused_with_the_reason(kind, columns, settings, message):
    with pytest.raises(ConstrictorError, match=message):
        _read(kind, columns, **settings)


def test_a_split_keeps_the_shares_of_every_label_and_of_every_tenth():
    generator = np.random.default_rng(0)
    many = (generator.random((2000, 4)) < [0.5, 0.2, 0.1, 0.05]).astype(np.float32)
    rows = stratified_split(kind_with(list("abcd"), "multilabel").strata(many), 0.1, 0.1, 0)
    assert many[rows["test"]].mean(axis=0) == pytest.approx(many.mean(axis=0), abs=0.02)
    values = generator.normal(size=1000).astype(np.float32)
    rows = stratified_split(kind_with(["score"], "regression").strata(values), 0.1, 0.1, 0)
    assert np.quantile(values[rows["test"]], [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(values, [0.1, 0.5, 0.9]), abs=0.25
    )
    assert np.bincount(kind_with(["score"], "regression").strata(values)[rows["test"]]).tolist() == [10] * 10


# Spellings as they come from real files: floats of a column with gaps, Excel's trailing spaces, two Unicode forms, Windows'
# no-break spaces, and so on.
@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["0", "1", "0.0", "1.0"], ["0", "1"]),
        (["0.0", "1.0", "0.0", "1.0"], ["0.0", "1.0"]),  # one spelling each: as written
        (["-1", "1", "-1.0", "1.00"], ["-1", "1"]),
        (["neg", "pos", "neg ", "\tpos"], ["neg", "pos"]),
        (["not good", "good", "not  good", "good\u00a0"], ["good", "not good"]),
        (["cafe\u0301", "bar", "caf\u00e9", "bar"], ["bar", "caf\u00e9"]),
        (["2.5", "3", "2.5", "3.0"], ["2.5", "3"]),
    ],
)
def test_spellings_of_one_class_are_one_class(cells, names):
    found = _read(ClassificationTask, {"label": cells})
    assert found.names == names
    assert found.values[:2].tolist() == found.values[2:].tolist()
    assert _read(ClassificationTask, {"label": cells}, labels=names[::-1]).values.tolist() == [
        1 - value for value in found.values
    ]
    both = _read(MultilabelTask, {"label": [*cells, " ; ".join(names)]}, columns={"separator": ";"})
    assert (both.names, both.values[-1].tolist()) == (names, [1, 1])
    assert both.values[:-1].argmax(axis=1).tolist() == found.values.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pos", "Pos"), ("pos", "POS "), ("pos", "pos\u200b"), ("pos", "\ufeffpos"), ("pos", "ｐｏｓ"), ("straße", "STRASSE"),
        ("1", "01"), ("1", "+1"), ("1.1", "1.10"), ("1.5", "1,5"), ("1", "১"), ("1", "１"), ("100000", "1e5"), ("0", "-0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [ClassificationTask, MultilabelTask])
def test_classes_that_are_most_likely_one_are_refused_and_both_are_named(kind, one, other):
    cells, settings = [one, other.strip(), "zzz"], {"columns": {"separator": ";"}} if kind is MultilabelTask else {}
    with pytest.raises(ConstrictorError) as refused:
        _read(kind, {"label": cells}, **settings)
    assert all(repr(name) in str(refused.value) for name in cells[:2])
    assert _read(kind, {"label": cells}, labels=cells, **settings).names == cells


def test_of_listed_labels_the_exact_spelling_comes_first():
    assert _read(ClassificationTask, {"label": ["1", "1.0"]}, labels=["1", "1.0"]).values.tolist() == [0, 1]
    with pytest.raises(ConstrictorError, match=r"1 rows have a label that is not in 'labels', the first is '1\.00'"):
        _read(ClassificationTask, {"label": ["1", "1.0", "1.00"]}, labels=["1", "1.0"])


def test_flags_may_be_floats():
    cells = {"rude": ["1.0", "0.0", "1"], "threat": ["0", " TRUE", "no"]}
    assert _read(MultilabelTask, cells, columns={"labels": list(cells)}).values.tolist() == [[1, 0], [0, 1], [1, 0]]


def test_zero_has_no_sign():
    values = _read(RegressionTask, {"label": ["-0.0", "0", "1"]}).values
    assert values[0].tobytes() == values[1].tobytes()
