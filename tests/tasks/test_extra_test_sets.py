import pytest

from constrictor.data.examples import read_examples
from constrictor.errors import ConstrictorError
from constrictor.study.tasks import ClassificationTask, RegressionTask
from constrictor.tasks.extra_test_sets import prepare_extra_test
from constrictor.tasks.prepare import prepare_task

ROWS = [(f"text number {number}", "ab"[number % 2]) for number in range(40)]
OTHERS = [(f"other text {number}", "ba"[number % 2]) for number in range(10)]


def _write(file, rows) -> dict[str, str]:
    file.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    return {"path": str(file)}


@pytest.fixture
def prepared(tmp_path):
    """Prepares a task with one extra test set, and that; what was counted and the examples."""

    def run(rows, model=ClassificationTask, own=ROWS, **settings):
        source = {"source": _write(tmp_path / "own.tsv", own)}
        task = model.model_validate(
            {**source, "extra_test_sets": {"other": _write(tmp_path / "other.tsv", rows)}, **settings}
        )
        prepare_task(task, tmp_path / "task")
        counts = prepare_extra_test(task, "other", tmp_path / "task", tmp_path / "other.parquet")
        return counts, read_examples(tmp_path / "other.parquet")

    return run


def test_all_its_rows_are_read_with_the_classes_of_the_task(prepared):
    counts, examples = prepared(OTHERS, labels=["b", "a"])
    assert counts == {"repeated": 0, "contradicting": 0, "in the task's own splits": 0, "rows": 10}
    assert examples.texts == [text for text, _ in OTHERS]
    assert examples.labels.tolist() == [["b", "a"].index(label) for _, label in OTHERS]


def test_classes_that_the_task_found_by_itself_keep_their_numbers_where_one_is_missing(prepared):
    _, examples = prepared([(text, "b") for text, _ in OTHERS])
    assert set(examples.labels.tolist()) == {1}


def test_what_the_tasks_own_splits_hold_is_left_out(prepared):
    counts, examples = prepared([*OTHERS, *((text.upper(), label) for text, label in ROWS), OTHERS[0]])
    assert counts == {"repeated": 1, "contradicting": 0, "in the task's own splits": 40, "rows": 10}
    assert examples.texts == [text for text, _ in OTHERS]
    with pytest.raises(
        ConstrictorError, match="the extra test set 'other' holds no text that the task's own splits have not"
    ):
        prepared(ROWS)


def test_it_is_normalised_filtered_and_checked_as_the_task_is(prepared):
    _, examples = prepared([("a  wide   gap", "a"), ("", "b")], normalise={"whitespace": True}, drop_empty=True)
    assert examples.texts == ["a wide gap"]
    with pytest.raises(ConstrictorError, match=r"the extra test set 'other': 1 rows have a label .* the first is 'c'"):
        prepared([*OTHERS, ("text", "c")])
    with pytest.raises(ConstrictorError, match="1 rows have no text"):
        prepared([*OTHERS, ("", "a")])


def test_values_of_a_regression_are_read_as_they_are(prepared):
    own = [(text, number / 4) for number, (text, _) in enumerate(ROWS)]
    _, examples = prepared([("one", 7.5), ("two", 2)], RegressionTask, own, kind="regression")
    assert examples.labels.tolist() == [7.5, 2.0]


def test_the_name_of_a_split_is_taken():
    with pytest.raises(
        ValueError, match="'extra_test_sets' cannot contain 'test': every task has a split of that name"
    ):
        ClassificationTask.model_validate({"source": {"path": "x"}, "extra_test_sets": {"test": {"path": "y"}}})
