import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from constrictor.data.examples import read_examples
from constrictor.errors import ConstrictorError
from constrictor.study.tasks.question_answering import QuestionAnsweringTask
from constrictor.tasks.prepare import prepare_task
from constrictor.tasks.question_answering.examples import parse_answers, read_rows

CONTEXT = "The film was good. The plot was bad."


def squad(*questions: dict[str, Any], context: str = CONTEXT) -> dict[str, Any]:
    return {
        "version": "1.1",
        "data": [{"title": "films", "paragraphs": [{"context": context, "qas": list(questions)}]}],
    }


def ask(name: str, *answers: tuple[str, int], question: str | None = None, **more: Any) -> dict[str, Any]:
    asked = f"what about {name}?" if question is None else question
    found = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": name, "question": asked, "answers": found, **more}


@pytest.fixture
def task(tmp_path):
    """A task with its source's content in a file."""

    def make(content: Any, name: str = "data.json", **settings: Any) -> QuestionAnsweringTask:
        file = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(file) if file.suffix == ".parquet" else content.to_csv(file, index=False)
        else:
            file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return QuestionAnsweringTask.model_validate(
            {"kind": "question_answering", "source": {"path": str(file)}, **settings}
        )

    return make


GOOD, FILM = ("good", 13), ("The film", 0)


def test_squad_is_read_with_every_reference(task):
    found = read_rows(task(squad(ask("a", GOOD, ("good.", 13)), ask("b", FILM))))
    assert found.examples.ids == ["a", "b"]
    assert found.examples.texts == [("what about a?", CONTEXT), ("what about b?", CONTEXT)]
    assert found.examples.labels.tolist() == [
        [{"text": "good", "start": 13}, {"text": "good.", "start": 13}],
        [{"text": "The film", "start": 0}],
    ]
    assert found.dropped == {}


TABLE = {"question": ["q one", "q two"], "context": [CONTEXT] * 2}
EXPECTED = [[{"text": "good", "start": 13}], [{"text": "bad", "start": 32}]]


@pytest.mark.parametrize(
    ("name", "columns", "settings"),
    [
        (
            "hub.parquet",
            {"answers": [{"text": ["good"], "answer_start": [13]}, {"text": ["bad"], "answer_start": [32]}]},
            {},
        ),
        ("json.csv", {"answers": ['{"text": ["good"], "answer_start": [13]}', '["bad"]']}, {}),
        ("python.csv", {"answers": [{"text": ["good"], "answer_start": [13]}, ["bad"]]}, {}),
        ("plain.csv", {"answers": ["good", "bad"]}, {}),
        (
            "two.tsv.csv",
            {"answer": ["good", "bad"], "at": [13, 32]},
            {"columns": {"answers": "answer", "answer_start": "at"}},
        ),
    ],
)
def test_tables_are_read_as_people_write_them(task, name, columns, settings):
    found = read_rows(task(pd.DataFrame({**TABLE, **columns}), name, **settings))
    assert found.examples.labels.tolist() == EXPECTED
    assert found.examples.ids == ["0", "1"]


def test_json_lines_are_read(task):
    rows = [{"id": "x", "question": "q", "context": CONTEXT, "answers": [{"text": "bad", "answer_start": 32}]}]
    found = read_rows(task("\n".join(map(json.dumps, rows)), "data.jsonl"))
    assert (found.examples.ids, found.examples.labels.tolist()) == (["x"], [[{"text": "bad", "start": 32}]])


NONE = squad(ask("a", GOOD), ask("b", is_impossible=True), ask("c", ("", -1)))


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (squad(ask("a", ("good", 14))), {}, "not in its context at character 14, where 'ood.' is. (It is at character 13.)"),
        (squad(ask("a", ("fine", -1))), {}, "the answer 'fine' of the question 'a' is not in its context."),
        (squad(ask("a", GOOD), context=" "), {}, "the question 'a' has an empty context."),
        (squad(ask("a", GOOD, question="")), {}, "the question 'a' has an empty question."),
        (squad(ask("a", GOOD), ask("a", FILM)), {}, "two questions have the id 'a'. Give each its own."),
        (NONE, {}, "2 of 3 questions have no answer, the first is 'b': the data is like SQuAD 2.0. Set 'unanswerable: predict'"),
        ({"data": [{"paragraphs": [{"context": "x"}]}]}, {}, "is not in SQuAD's layout: data > paragraphs > qas"),
        ({"data": 3}, {}, "it must hold objects like"),
        ([{"question": "q", "context": "c", "answer": "c"}], {}, "has no column 'answers'. Did you mean 'answer'?"),
        ([{"question": "q", "context": "c", "answers": 7}], {}, "the answers of the question '0' cannot be read: 7 is no text"),
        ([{"question": "q", "context": "c", "answers": {"text": ["c", "d"], "answer_start": [0]}}], {}, "2 texts have 1 pos"),
        ([{"question": "q", "context": "c", "answers": {"text": "c", "answer_start": "x"}}], {}, "the position 'x' ('answer"),
        (squad(ask("a", ("no", 3))), {"drop_misplaced": True}, "no question is left"),
    ],
)  # fmt: skip
def test_bad_data_is_refused_with_the_question(task, content, settings, message):
    with pytest.raises(ConstrictorError) as refused:
        read_rows(task(content, **settings))
    assert message in str(refused.value)


def test_what_is_left_out_is_counted(task):
    content = squad(
        ask("a", GOOD, ("gone", 2)),
        ask("b", ("gone", 2)),
        ask("c"),
        ask("d", GOOD, question="What  about A?"),
        ask("e", FILM, question=" "),
    )
    found = read_rows(task(content, drop_misplaced=True, unanswerable="drop", drop_empty=True))
    assert found.examples.ids == ["a"]
    assert found.examples.labels.tolist() == [[{"text": "good", "start": 13}]]
    assert found.dropped == {
        "repeated": 1, "without text": 1, "with misplaced answers only": 1, "without an answer": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 384}, "'stride' is 384 and 'max_length' is 384: windows that share 384 tokens never advance"),
        ({"columns": {"question": "context"}}, "'context' is named twice"),
        ({"metric": "accuracy"}, "metric"),
        ({"labels": ["a", "b"]}, "labels"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        QuestionAnsweringTask.model_validate({"kind": "question_answering", "source": {"path": "x.json"}, **settings})


def test_a_prepared_task_keeps_its_answers_and_parts_no_context(task, tmp_path):
    paragraphs = [
        squad(ask(f"{number}a", ("number", 4)), ask(f"{number}b"), context=f"The number {number}")["data"][0]
        for number in range(40)
    ]
    settings = {"unanswerable": "predict", "split": {"validation": 0.2, "test": 0.2}}
    manifest = prepare_task(task({"data": paragraphs}, **settings), tmp_path / "task")
    assert manifest.task.options == {"stride": 128, "max_answer_length": 30, "unanswerable": True}
    contexts = []
    for split, rows in (("train", 48), ("validation", 16), ("test", 16)):
        examples = read_examples(tmp_path / "task" / f"{split}.parquet")
        contexts.append({context for _, context in examples.texts})
        assert len(examples) == rows
        assert manifest.classes[split] == {"answerable": rows // 2, "unanswerable": rows // 2}
        texts = [answers[0]["text"] for answers in examples.labels]
        assert sorted(set(texts)) == ["", "number"]
    assert not contexts[0] & contexts[1] | contexts[1] & contexts[2] | contexts[0] & contexts[2]


def test_arrays_of_the_hub_are_lists():
    cell = {"text": np.array(["a", "b"], dtype=object), "answer_start": np.array([1, 5], dtype=np.int32)}
    assert parse_answers(cell) == [{"text": "a", "start": 1}, {"text": "b", "start": 5}]
    assert parse_answers({"text": np.array([], dtype=object), "answer_start": np.array([])}) == []
    assert parse_answers("[not json") == [{"text": "[not json", "start": -1}]


def test_test_sets_of_a_hub_layout_have_the_same_answers(task, tmp_path: Path):
    from constrictor.tasks.extra_test_sets import prepare_extra_test

    paragraphs = [squad(ask(str(n), ("number", 4)), context=f"The number {n}")["data"][0] for n in range(20)]
    (tmp_path / "more.json").write_text(
        json.dumps(squad(ask("x", GOOD), ask("y", ("number", 4), question="what about 3?")))
    )
    prepared = task(
        {"data": paragraphs}, extra_test_sets={"more": {"path": str(tmp_path / "more.json")}}, drop_misplaced=True
    )
    prepare_task(prepared, tmp_path / "task")
    counts = prepare_extra_test(prepared, "more", tmp_path / "task", tmp_path / "more.parquet")
    assert counts["rows"] == 1
    assert read_examples(tmp_path / "more.parquet").labels.tolist() == [[{"text": "good", "start": 13}]]


def test_a_test_set_of_1_1_fits_a_task_of_2_0_and_data_of_1_1_does_not(task, tmp_path: Path):
    from constrictor.tasks.extra_test_sets import prepare_extra_test

    paragraphs = [
        squad(ask(f"{n}a", ("number", 4)), ask(f"{n}b"), context=f"The number {n}")["data"][0] for n in range(20)
    ]
    (tmp_path / "more.json").write_text(json.dumps(squad(ask("x", GOOD))))
    more = {"extra_test_sets": {"more": {"path": str(tmp_path / "more.json")}}, "unanswerable": "predict"}
    prepared = task({"data": paragraphs}, **more)
    prepare_task(prepared, tmp_path / "task")
    assert prepare_extra_test(prepared, "more", tmp_path / "task", tmp_path / "more.parquet")["rows"] == 1
    answerable = [squad(ask(str(n), ("number", 4)), context=f"The number {n}")["data"][0] for n in range(20)]
    message = "no example has the class 'unanswerable', .* or leave the questions without an answer out with 'unanswerable: drop'"
    with pytest.raises(ConstrictorError, match=message):
        prepare_task(task({"data": answerable}, unanswerable="predict"), tmp_path / "other")
