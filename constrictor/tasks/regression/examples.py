"""Read the values of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from constrictor.data.checks import refuse_gaps
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import TaskRecord
from constrictor.study.tasks.regression import RegressionTask
from constrictor.tasks.labels import Labels
from constrictor.tasks.rows import Rows, read_text_rows, text_record

if TYPE_CHECKING:
    import pandas as pd


def read_rows(task: RegressionTask) -> Rows:
    """The rows of a task, of all its splits.

    Raises:
        ConstrictorError: whatever :func:`~constrictor.tasks.rows.read_text_rows` and :func:`read_labels` refuse.
    """
    return read_text_rows(task, read_labels)


def record_of(task: RegressionTask, names: list[str]) -> TaskRecord:
    """What models are to know of a task whose outputs have these names."""
    return text_record(task, names)


def as_test_set(task: RegressionTask, source: Any, record: TaskRecord) -> RegressionTask:
    """The task's settings with another source."""
    return task.model_copy(update={"source": source})


def read_labels(task: RegressionTask, frame: pd.DataFrame) -> Labels:
    """The labels of a task's table.

    Args:
        task: the task's settings.
        frame: the rows, all cells text; the index holds their ids.

    Raises:
        ConstrictorError: an empty cell, a cell that is no finite number, one value only.
    """
    column = task.columns.label
    refuse_gaps(frame, column, "label", "'filter'")
    try:
        values = frame[column].to_numpy(dtype=str).astype(np.float32)
    except ValueError:
        row, wrong = next((row, cell) for row, cell in frame[column].items() if not _is_float(cell))
        raise ConstrictorError(
            f"the column '{column}' holds '{wrong}' (row {row}, counted from 0), and a regression task "
            "needs numbers, with a decimal point. For names, use 'kind: classification'."
        ) from None
    if not np.isfinite(values).all():
        raise ConstrictorError(
            f"the column '{column}' holds an infinite value or NaN. Leave such rows out with 'filter'."
        )
    if values.min() == values.max():
        raise ConstrictorError(
            f"all rows have the value {values[0]:g} (column '{column}'). Check 'columns.label' and 'filter'."
        )
    return Labels([column], values + np.float32(0))  # -0 is 0


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
