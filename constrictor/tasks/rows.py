"""Read the rows of a task: check and normalise their texts, read their labels, drop what repeats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from constrictor.data.batching import Text
from constrictor.data.checks import refuse_gaps
from constrictor.data.duplicates import select_rows
from constrictor.data.examples import Examples
from constrictor.data.normalise import normaliser
from constrictor.data.sources import read_source
from constrictor.models.manifest import TaskRecord
from constrictor.study.sources import DataSource, SplitSources
from constrictor.study.splits import SPLITS
from constrictor.study.tasks.task import Task
from constrictor.study.tasks.text import TextTask
from constrictor.tasks.labels import Labels

if TYPE_CHECKING:
    import pandas as pd


class Rows(NamedTuple):
    """What was read.

    Attributes:
        examples: the rows that stay.
        origin: the split that each came in, "" where all come from one source.
        names: what a model's outputs stand for.
        dropped: rows that were left out, by the reason.
        normalised: rows, of all that were read, whose text was changed.
        also_in_training: rows of each split that the data bring whose text is also among the training rows that were read.
        repaired: rows, of all that were read, in whose text a half of a character was replaced.
    """

    examples: Examples
    origin: np.ndarray
    names: list[str]
    dropped: dict[str, int]
    normalised: int
    also_in_training: dict[str, int]
    repaired: int


def read_text_rows(task: TextTask, read_labels: Callable[[Any, pd.DataFrame], Labels]) -> Rows:
    """The rows of a task, of all its splits.

    Args:
        task: the task's settings.
        read_labels: reads the labels of a table whose cells are all text and whose index holds the ids.

    Raises:
        ConstrictorError: for everything that :func:`~constrictor.data.sources.read_source` refuses, an empty text, a
            missing or unknown label, a single class.
    """
    frame, origin, repaired = _read(task)
    normalised = _normalise(frame, task)
    dropped = {}
    if task.drop_empty:
        filled = _filled(frame, task.columns.texts)
        dropped["without a text"] = int((~filled).sum())
        frame, origin = frame[filled], origin[filled]
    for column in task.columns.texts:
        refuse_gaps(frame, column, "text", "'drop_empty: true'")
    labels = read_labels(task, frame)
    texts = _texts(frame, task.columns.texts)
    kept = select_rows(texts, [row.tobytes() for row in labels.values], origin, keeps_overlap(task))
    dropped = {**kept.dropped, **dropped}
    examples = Examples(frame.index.tolist(), texts, labels.values).take(kept.rows)
    return Rows(examples, origin[kept.rows], labels.names, dropped, normalised, kept.also_in_training, repaired)


def keeps_overlap(task: Task) -> bool:
    """Whether training examples stay whose text is also in a split that the data bring."""
    return isinstance(task.source, SplitSources) and task.source.overlap == "keep"


def _read(task: TextTask) -> tuple[pd.DataFrame, np.ndarray, int]:
    """All rows, for each the split that it came in ("" where all come from one source), and how many were repaired."""
    import pandas as pd

    columns = [*task.columns.texts, *task.columns.of_labels]
    parts, origins, repaired = [], [], 0
    for split, source in sources_by_split(task):
        part, changed = read_source(source, task.filter, columns, task.columns.texts, task.columns.of_lists)
        part.index = part.index.map(partial(id_in_task, split=split))
        parts.append(part)
        repaired += changed
        origins.append(np.full(len(part), split, dtype=object))
    return pd.concat(parts), np.concatenate(origins), repaired


def sources_by_split(task: Task) -> list[tuple[str, DataSource]]:
    """A task's sources with the split that each is of, "" for one that is still to be split.

    Test comes first.
    """
    if not isinstance(task.source, SplitSources):
        return [("", task.source)]
    parts = [(split, getattr(task.source, split)) for split in reversed(SPLITS)]
    return [(split, source) for split, source in parts if source is not None]


def id_in_task(identity: str, split: str) -> str:
    """An id that is unique in its task: that of its source, behind the split where each split has its own source."""
    return f"{split}-{identity}" if split else identity


def _normalise(frame: pd.DataFrame, task: TextTask) -> int:
    """Normalise the text in place, and count the rows that changed."""
    normalise = normaliser(task.normalise)
    before = frame[task.columns.texts].copy()
    for column in task.columns.texts:
        frame[column] = before[column].map(normalise)
    return int((frame[task.columns.texts] != before).any(axis=1).sum())


def _filled(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Which rows have all their text columns."""
    return (frame[columns].apply(lambda column: column.str.strip()) != "").all(axis=1).to_numpy()


def _texts(frame: pd.DataFrame, columns: Sequence[str]) -> list[Text]:
    """One text a row, or a pair where there are two columns."""
    if len(columns) == 1:
        return list(frame[columns[0]])
    return list(zip(*(frame[column] for column in columns), strict=True))


def text_record(task: TextTask, names: list[str]) -> TaskRecord:
    """The record of a text task in the models trained on it."""
    options = {"truncation": task.truncation}
    return TaskRecord(kind=task.kind, labels=names, max_length=task.max_length, options=options)
