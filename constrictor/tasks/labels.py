"""Read the labels of a table: classes, sets of labels, or values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from constrictor.data.checks import refuse_gaps
from constrictor.errors import ConstrictorError, nearest
from constrictor.study.tasks import ClassificationTask, MultilabelTask, RegressionTask
from constrictor.study.tasks.text import TextTask as Task

if TYPE_CHECKING:
    import pandas as pd

_FLAGS = {"1": 1, "0": 0, "true": 1, "false": 0, "yes": 1, "no": 0}


class Labels(NamedTuple):
    """The labels of all rows of a table.

    Attributes:
        names: what a model's outputs stand for.
        values: ``(rows,)`` class numbers, ``(rows, labels)`` float32 zeros and ones, or ``(rows,)`` float32 values.
    """

    names: list[str]
    values: np.ndarray


def labels_of(task: Task, frame: pd.DataFrame) -> Labels:
    """The labels of a task's table.

    Args:
        task: the task's settings.
        frame: the rows, all cells text, with a column ``id``.

    Raises:
        ConstrictorError: an empty cell, an unknown label, a single class, a cell that is no number or no flag.
    """
    if isinstance(task, ClassificationTask):
        return _classes(task, frame)
    if isinstance(task, MultilabelTask):
        return _label_sets(task, frame)
    assert isinstance(task, RegressionTask)
    return _values(task, frame)


def count_labels(values: np.ndarray, names: Sequence[str]) -> dict[str, int]:
    """Examples with each class or label; empty for values, of which there is nothing to count.

    >>> count_labels(np.array([0, 1, 1]), ["no", "yes"])
    {'no': 1, 'yes': 2}
    """
    if values.ndim == 2:
        return dict(zip(names, values.sum(axis=0).astype(int).tolist(), strict=True))
    if values.dtype.kind == "f":
        return {}
    return dict(zip(names, np.bincount(values, minlength=len(names)).tolist(), strict=True))


def _classes(task: ClassificationTask, frame: pd.DataFrame) -> Labels:
    name = task.columns.label
    refuse_gaps(frame, name, "label", "'filter'")
    column = frame[name]
    names = task.labels or _sorted(column.unique().tolist())
    if task.labels is None:
        _refuse_twins(names, name)
    if len(names) < 2:
        raise ConstrictorError(
            f"all rows have the label '{names[0]}' (column '{name}'): a task needs two classes or more. "
            "Check 'columns.label' and 'filter'."
        )
    _refuse_unknown(column.tolist(), names, name)
    if task.labels is None:
        _refuse_too_many(names, column, "(For numbers to be predicted: 'kind: regression'.)")
    if task.metric == "f1" and len(names) != 2:
        raise ConstrictorError(
            f"the metric 'f1' is that of the second of two classes, and this task has {len(names)}. "
            "Use macro_f1 or weighted_f1."
        )
    return Labels(names, column.map({label: number for number, label in enumerate(names)}).to_numpy(np.int64))


def _label_sets(task: MultilabelTask, frame: pd.DataFrame) -> Labels:
    if task.columns.labels:
        names = list(task.columns.labels)
        values = np.stack([_flags(frame, name) for name in names], axis=1)
    else:
        names, values = _split_lists(task, frame[task.columns.label])
    unused = [name for name, count in count_labels(values, names).items() if count == 0]
    if unused:
        raise ConstrictorError(f"no row has the label '{unused[0]}'. Leave it out.")
    bare = frame["id"][values.sum(axis=1) == 0]
    if len(bare) and task.refuse_unlabelled:
        raise ConstrictorError(
            f"{len(bare)} rows have none of the labels; the first, counted from 0: {', '.join(bare.head(5))}. "
            "Leave them out with 'filter', or allow them with 'refuse_unlabelled: false'."
        )
    return Labels(names, values)


def _flags(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A label's own column as zeros and ones."""
    refuse_gaps(frame, column, "label", "'filter'")
    flags = frame[column].str.strip().str.lower().map(_FLAGS)
    if flags.isna().any():
        wrong = frame[flags.isna()].iloc[0]
        raise ConstrictorError(
            f"the column '{column}' of a multi-label task holds '{wrong[column]}' (row {wrong['id']}, counted from 0). "
            f"Allowed: {', '.join(_FLAGS)}."
        )
    return flags.to_numpy(np.float32)


def _split_lists(task: MultilabelTask, column: pd.Series) -> Labels:
    """One column that lists the labels of each row."""
    lists = [[part.strip() for part in cell.split(task.columns.separator) if part.strip()] for cell in column]
    found = sorted({name for names in lists for name in names})
    names = task.labels or found
    if len(names) < 2:
        raise ConstrictorError(
            f"the column '{task.columns.label}' holds one label only ({', '.join(names) or 'none'}): a task needs two or more. "
            f"Are its labels separated by '{task.columns.separator}'?"
        )
    _refuse_unknown(found, names, task.columns.label)
    if task.labels is None:
        _refuse_too_many(names, column, f"Are its labels separated by '{task.columns.separator}'?")
    place = {name: number for number, name in enumerate(names)}
    values = np.zeros((len(lists), len(names)), np.float32)
    for row, own in enumerate(lists):
        values[row, [place[name] for name in own]] = 1
    return Labels(names, values)


def _values(task: RegressionTask, frame: pd.DataFrame) -> Labels:
    column = task.columns.label
    refuse_gaps(frame, column, "label", "'filter'")
    try:
        values = frame[column].to_numpy(dtype=str).astype(np.float32)
    except ValueError:
        wrong = next(row for _, row in frame.iterrows() if not _is_float(row[column]))
        raise ConstrictorError(
            f"the column '{column}' holds '{wrong[column]}' (row {wrong['id']}, counted from 0), and a regression task "
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
    return Labels([column], values)


def _refuse_unknown(found: Sequence[str], labels: Sequence[str], column: str) -> None:
    unknown = [label for label in found if label not in labels]
    if unknown and len(unknown) == len(found):
        held = ", ".join(_sorted(sorted(set(found)))[:10])
        raise ConstrictorError(
            f"no row has a label of 'labels' ({', '.join(labels)}): the column '{column}' holds {held}. "
            "List those in 'labels', in the order of the model's outputs, or leave the key out."
        )
    if unknown:
        raise ConstrictorError(
            f"{len(unknown)} rows have a label that is not in 'labels', the first is '{unknown[0]}'. "
            f"{nearest(unknown[0], labels)}"
        )


def _refuse_twins(names: Sequence[str], column: str) -> None:
    """Refuse classes that are most likely one, written in two ways."""
    alike: dict[str, str] = {}
    for name in names:
        twin = alike.setdefault(name.strip().casefold(), name)
        if twin != name:
            raise ConstrictorError(
                f"the column '{column}' holds the classes '{twin}' and '{name}', which differ in case or spaces only. Make "
                "them one in the data; or, if they are two, list all classes in 'labels'."
            )


def _refuse_too_many(names: Sequence[str], column: pd.Series, hint: str) -> None:
    if len(names) > max(50, len(column) // 10):
        raise ConstrictorError(
            f"the column '{column.name}' holds {len(names)} different labels in {len(column)} rows: is it really the label "
            f"column? If so, list them in 'labels'. {hint}"
        )


def _sorted(found: list[str]) -> list[str]:
    """By value if all are numbers, by letter otherwise."""
    try:
        return sorted(found, key=float)
    except ValueError:
        return sorted(found)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
