"""Read questions with their contexts and answers: SQuAD's JSON (1.1 and 2.0), tables, and data sets with SQuAD's features."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from constrictor.data.dialect import read_text
from constrictor.data.duplicates import select_rows
from constrictor.data.examples import Examples, object_array
from constrictor.data.sources import read_rows as read_table_rows
from constrictor.data.surrogates import refuse_surrogates, replace_surrogates, without_surrogates
from constrictor.data.tables import as_text, read_table
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import TaskRecord
from constrictor.study.sources import DataSource, TableFile
from constrictor.study.tasks.question_answering import QuestionAnsweringTask
from constrictor.tasks.question_answering.windows import NO_ANSWER
from constrictor.tasks.rows import Rows, id_in_task, keeps_overlap, sources_by_split

if TYPE_CHECKING:
    import pandas as pd

Answer = dict[str, Any]
"""The ``text`` of an answer and its ``start``, the characters before it in the context; -1 if unknown, or for no answer."""


class _Question(NamedTuple):
    id: str
    question: str
    context: str
    answers: list[Answer]


def read_rows(task: QuestionAnsweringTask) -> Rows:
    """The questions of a task, of all its splits.

    Args:
        task: the task's settings.

    Raises:
        ConstrictorError: for everything that :func:`~constrictor.data.sources.read_rows` refuses, an empty question or context,
            two questions with one id, an answer that is not in its context, a question without an answer.
    """
    dropped = {"without text": 0, "with misplaced answers only": 0, "without an answer": 0}
    questions: list[_Question] = []
    origin: list[str] = []
    repaired = 0
    for split, source in sources_by_split(task):
        found, changed = _read(source, task, split)
        repaired += changed
        for question in found:
            if not (question.question.strip() and question.context.strip()):
                dropped["without text"] += 1
                continue
            if question.answers and not (question := _located(question, task)).answers:
                dropped["with misplaced answers only"] += 1
                continue
            if not question.answers and task.unanswerable == "drop":
                dropped["without an answer"] += 1
                continue
            questions.append(question)
            origin.append(split)
    if not questions:
        raise ConstrictorError(
            f"no question is left (dropped: {dropped}). Check 'columns', 'filter' and the answers' offsets."
        )
    _refuse_unanswerable(questions, task)
    examples = Examples(
        [question.id for question in questions],
        [(question.question, question.context) for question in questions],
        object_array([question.answers or [{"text": NO_ANSWER, "start": -1}] for question in questions]),
    )
    origins = object_array(origin)
    kept = select_rows(examples.texts, [""] * len(examples), origins, keeps_overlap(task))
    counts = {name: count for name, count in {**kept.dropped, **dropped}.items() if count}
    return Rows(examples.take(kept.rows), origins[kept.rows], [], counts, 0, kept.also_in_training, repaired)


def record_of(task: QuestionAnsweringTask, names: list[str]) -> TaskRecord:
    """What models are to know of a task."""
    options = {
        "stride": task.stride,
        "max_answer_length": task.max_answer_length,
        "unanswerable": task.unanswerable == "predict",
    }
    return TaskRecord(kind=task.kind, labels=names, max_length=task.max_length, options=options)


def as_test_set(task: QuestionAnsweringTask, source: Any, record: TaskRecord) -> QuestionAnsweringTask:
    """The task's settings with another source."""
    return task.model_copy(update={"source": source})


def _read(source: DataSource, task: QuestionAnsweringTask, split: str) -> tuple[list[_Question], int]:
    """The questions of one source, with answers as they are written there; and how many rows were repaired."""
    columns = task.columns
    place, table = read_table_rows(source, task.filter, columns.needed, _read_file)
    if columns.id in table.columns:
        refuse_surrogates(table, [columns.id], place)
    ids = [as_text(row) for row in (table[columns.id] if columns.id in table.columns else table.index)]
    if twice := next((identity for identity, count in Counter(ids).items() if count > 1), None):
        raise ConstrictorError(f"{place}: two questions have the id '{twice}'. Give each its own.")
    starts = table[columns.answer_start].map(as_text) if columns.answer_start else [""] * len(table)
    repaired = replace_surrogates(table, [columns.question, columns.context])
    questions, contexts = (table[name].map(as_text) for name in (columns.question, columns.context))
    found = []
    for identity, question, context, cell, start in zip(
        ids, questions, contexts, table[columns.answers], starts, strict=True
    ):
        if not task.drop_empty and not (question.strip() and context.strip()):
            what = "context" if question.strip() else "question"
            raise ConstrictorError(
                f"{place}: the question '{identity}' has an empty {what}. Fill it in, or leave such rows out with "
                "'drop_empty: true'."
            )
        try:
            answers = parse_answers(cell, _position(start))
        except ValueError as error:
            raise ConstrictorError(
                f"{place}: the answers of the question '{identity}' cannot be read: {error}"
            ) from None
        found.append(_Question(id_in_task(identity, split), question, context, answers))
    return found, repaired


def parse_answers(cell: Any, start: int | None = None) -> list[Answer]:
    """The answers in a cell, in any of the ways in which they are written.

    Args:
        cell: a text, a list of texts, SQuAD's list of objects, the hub's object of lists, or one of these as JSON or as
            Python prints it.
        start: the position of a single text, if another column has it.

    Raises:
        ValueError: if it is none of these.

    >>> parse_answers('{"text": ["a cat", "cat"], "answer_start": [4, 6]}')
    [{'text': 'a cat', 'start': 4}, {'text': 'cat', 'start': 6}]
    >>> parse_answers("cat", 6), parse_answers(["cat"]), parse_answers("")
    ([{'text': 'cat', 'start': 6}], [{'text': 'cat', 'start': -1}], [])
    """
    if isinstance(cell, np.ndarray):
        cell = cell.tolist()
    if isinstance(cell, str):
        if (written := _literal(cell)) is not None:
            return parse_answers(written)
        return [{"text": without_surrogates(cell), "start": -1 if start is None else start}] if cell.strip() else []
    if isinstance(cell, Mapping):
        texts, starts = (_as_list(cell.get(name, [])) for name in ("text", "answer_start"))
        if len(starts) not in (0, len(texts)):
            raise ValueError(f"{len(texts)} texts have {len(starts)} positions ('answer_start').")
        return _answers(zip(texts, starts or [None] * len(texts), strict=True))
    if isinstance(cell, list):
        return _answers(
            (part.get("text"), part.get("answer_start")) if isinstance(part, Mapping) else (part, None) for part in cell
        )
    if as_text(cell) == "":
        return []
    raise ValueError(f"{cell!r} is no text, no list of texts and no object with 'text' and 'answer_start'.")


def _literal(text: str) -> Any:
    """The list or object that a text is, as JSON or a Python literal; None if it is a text, even one that begins so."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    for parse in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return parse(text.strip())
    return None


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        return list(value.tolist())
    return value if isinstance(value, list) else [value]


def _answers(pairs: Iterable[tuple[Any, Any]]) -> list[Answer]:
    """Answers from texts and positions; an empty text is no answer."""
    found = []
    for text, start in pairs:
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is no text.")
        if text.strip():
            position = _position(start)
            found.append({"text": without_surrogates(text), "start": -1 if position is None else position})
    return found


def _position(written: Any) -> int | None:
    """The number of characters before an answer; None if it is not given."""
    text = as_text(written)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"the position {text!r} ('answer_start') is no whole number of characters.") from None


def _located(question: _Question, task: QuestionAnsweringTask) -> _Question:
    """The question with the answers that are in its context, each at its position.

    Raises:
        ConstrictorError: if an answer is not there, unless such answers are to be dropped.
    """
    found = []
    for answer in question.answers:
        text, start = answer["text"], answer["start"]
        if start < 0:
            start = question.context.find(text)
        if start >= 0 and question.context.startswith(text, start):
            found.append({"text": text, "start": start})
        elif not task.drop_misplaced:
            raise ConstrictorError(_misplaced(question, answer))
    return question._replace(answers=found)


def _misplaced(question: _Question, answer: Answer) -> str:
    text, start = answer["text"], answer["start"]
    if start < 0:
        where = "is not in its context"
    else:
        where = f"is not in its context at character {start}, where '{question.context[start : start + len(text)]}' is"
    nearest_place = question.context.find(text)
    hint = f" (It is at character {nearest_place}.)" if start >= 0 and nearest_place >= 0 else ""
    return (
        f"the answer '{text}' of the question '{question.id}' {where}.{hint} Correct the offsets, or drop such answers with "
        "'drop_misplaced: true'."
    )


def _refuse_unanswerable(questions: list[_Question], task: QuestionAnsweringTask) -> None:
    """Refuse data of SQuAD 2.0 in a task of 1.1."""
    without = [question.id for question in questions if not question.answers]
    if without and task.unanswerable == "refuse":
        raise ConstrictorError(
            f"{len(without)} of {len(questions)} questions have no answer, the first is '{without[0]}': the data is like SQuAD "
            "2.0. Set 'unanswerable: predict' in the task, or leave these questions out with 'unanswerable: drop'."
        )


def _read_file(file: Path, written: TableFile) -> pd.DataFrame:
    """The questions of a file: SQuAD's layout of articles and paragraphs, or any table."""
    articles = _articles(file) if file.name.removesuffix(".gz").endswith(".json") and file.is_file() else None
    return read_table(file, written) if articles is None else _flat(articles, file)


def _articles(file: Path) -> list[Any] | None:
    """The articles of a file in SQuAD's layout; None if it is something else, which the reader of tables may know."""
    try:
        content = json.loads(read_text(file))
    except (ValueError, OSError, EOFError, RecursionError):
        return None
    return content["data"] if isinstance(content, dict) and isinstance(content.get("data"), list) else None


def _flat(articles: list[Any], file: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        rows = [
            {
                "title": article.get("title", ""),
                "context": paragraph["context"],
                "is_impossible": question.get("is_impossible", False),
                **{name: question[name] for name in ("id", "question", "answers")},
            }
            for article in articles
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ConstrictorError(
            f"{file} is not in SQuAD's layout: data > paragraphs > qas, each with 'id', 'question' and 'answers' "
            f"({type(error).__name__}: {error})."
        ) from None
    return pd.DataFrame(rows, dtype=object)
