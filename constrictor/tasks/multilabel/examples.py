"""Read the sets of labels of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from constrictor.data.checks import refuse_gaps
from constrictor.data.spelling import plain
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import TaskRecord
from constrictor.study.tasks.multilabel import MultilabelTask
from constrictor.tasks.labels import Labels, names_by_spelling, refuse_too_many, refuse_unknown
from constrictor.tasks.multilabel.lists import read_lists
from constrictor.tasks.rows import Rows, read_text_rows, text_record

if TYPE_CHECKING:
    import pandas as pd

_FLAGS = {"1": 1, "0": 0, "true": 1, "false": 0, "yes": 1, "no": 0}


def read_rows(task: MultilabelTask) -> Rows:
    """The rows of a task, of all its splits.

    Raises:
        ConstrictorError: whatever :func:`~constrictor.tasks.rows.read_text_rows` and :func:`read_labels` refuse.
    """
    return read_text_rows(task, read_labels)


def record_of(task: MultilabelTask, names: list[str]) -> TaskRecord:
    """The record of a task whose outputs have these names, for the models trained on it."""
    return text_record(task, names)


def as_test_set(task: MultilabelTask, source: Any, record: TaskRecord) -> MultilabelTask:
    """The task's settings with another source and the task's classes."""
    return task.model_copy(update={"source": source, **({} if task.columns.labels else {"labels": record.labels})})


def read_labels(task: MultilabelTask, frame: pd.DataFrame) -> Labels:
    """The labels of a task's table.

    Args:
        task: the task's settings.
        frame: the rows, all cells text; the index holds their ids.

    Raises:
        ConstrictorError: an empty cell, an unknown or unused label, a cell that is no flag.
    """
    if task.columns.labels:
        names = list(task.columns.labels)
        values = np.stack([_flags(frame, name) for name in names], axis=1)
    else:
        names, values = _listed_labels(task, frame[task.columns.label])
    unused = [name for name, count in zip(names, values.sum(axis=0), strict=True) if count == 0]
    if unused:
        raise ConstrictorError(f"no row has the label '{unused[0]}'. Leave it out.")
    bare = frame.index[values.sum(axis=1) == 0]
    if len(bare) and task.refuse_unlabelled:
        raise ConstrictorError(
            f"{len(bare)} rows have none of the labels; the first, counted from 0: {', '.join(bare[:5])}. "
            "Leave them out with 'filter', or allow them with 'refuse_unlabelled: false'."
        )
    return Labels(names, values)


def _flags(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A label's own column as zeros and ones."""
    refuse_gaps(frame, column, "label", "'filter'")
    flags = frame[column].map(plain).str.lower().map(_FLAGS)
    if flags.isna().any():
        row = flags.isna().idxmax()
        raise ConstrictorError(
            f"the column '{column}' of a multi-label task holds '{frame[column][row]}' (row {row}, counted from 0). "
            f"Allowed: {', '.join(_FLAGS)}."
        )
    return flags.to_numpy(np.float32)


def _listed_labels(task: MultilabelTask, column: pd.Series) -> Labels:
    """One column that lists the labels of each row."""
    lists = read_lists(column, task.columns.separator)
    found = sorted({label for labels in lists for label in labels})
    spelled = names_by_spelling(found, task.labels, column.name)
    names = task.labels or sorted(set(spelled.values()))
    if len(names) < 2:
        raise ConstrictorError(
            f"the column '{column.name}' holds one label only ({', '.join(names) or 'none'}): a task needs two or more. "
            f"Are its labels separated by '{task.columns.separator}'?"
        )
    refuse_unknown([spelled.get(label, label) for label in found], names, column.name)
    if task.labels is None:
        refuse_too_many(names, column, f"Are its labels separated by '{task.columns.separator}'?")
    place = {spelling: names.index(name) for spelling, name in spelled.items()}
    values = np.zeros((len(lists), len(names)), np.float32)
    for row, labels in enumerate(lists):
        values[row, [place[label] for label in labels]] = 1
    return Labels(names, values)
