"""Read the classes of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from constrictor.data.checks import refuse_gaps
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import TaskRecord
from constrictor.study.tasks.classification import ClassificationTask
from constrictor.tasks.labels import Labels, names_by_spelling, refuse_too_many, refuse_unknown, sorted_labels
from constrictor.tasks.rows import Rows, read_text_rows, text_record

if TYPE_CHECKING:
    import pandas as pd


def read_rows(task: ClassificationTask) -> Rows:
    """The rows of a task, of all its splits.

    Raises:
        ConstrictorError: whatever :func:`~constrictor.tasks.rows.read_text_rows` and :func:`read_labels` refuse.
    """
    return read_text_rows(task, read_labels)


def record_of(task: ClassificationTask, names: list[str]) -> TaskRecord:
    """What models are to know of a task whose outputs have these names."""
    return text_record(task, names)


def as_test_set(task: ClassificationTask, source: Any, record: TaskRecord) -> ClassificationTask:
    """The task's settings with another source and the task's classes."""
    return task.model_copy(update={"source": source, "labels": record.labels})


def read_labels(task: ClassificationTask, frame: pd.DataFrame) -> Labels:
    """The labels of a task's table.

    Args:
        task: the task's settings.
        frame: the rows, all cells text; the index holds their ids.

    Raises:
        ConstrictorError: an empty cell, an unknown label, a single class.
    """
    name = task.columns.label
    refuse_gaps(frame, name, "label", "'filter'")
    column = frame[name]
    spelled = names_by_spelling(column.unique(), task.labels, name)
    names = task.labels or sorted_labels(list(dict.fromkeys(spelled.values())))
    if len(names) < 2:
        raise ConstrictorError(
            f"all rows have the label '{names[0]}' (column '{name}'): a task needs two classes or more. "
            "Check 'columns.label' and 'filter'."
        )
    refuse_unknown([spelled.get(cell, cell) for cell in column], names, name)
    if task.labels is None:
        refuse_too_many(names, column, "(For numbers to be predicted: 'kind: regression'.)")
    if task.metric == "f1" and len(names) != 2:
        raise ConstrictorError(
            f"the metric 'f1' is that of the second of two classes, and this task has {len(names)}. "
            "Use macro_f1 or weighted_f1."
        )
    return Labels(names, column.map(spelled).map(names.index).to_numpy(np.int64))
