"""Read the labels of a table: classes, sets of labels, or values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from constrictor.errors import ConstrictorError, nearest
from constrictor.study.tasks import ClassificationTask, MultilabelTask, RegressionTask, Task

if TYPE_CHECKING:
    import pandas as pd

AnyTask = TypeVar("AnyTask", bound=Task)


class Labels(ABC, Generic[AnyTask]):
    """The labels of all rows of a table.

    Attributes:
        names: what a model's outputs stand for.
        values: one entry a row; its shape is that of the kind.
    """

    names: list[str]
    values: np.ndarray

    def __init__(self, task: AnyTask, frame: pd.DataFrame) -> None:
        self.task = task
        self.read(frame)

    @abstractmethod
    def read(self, frame: pd.DataFrame) -> None:
        """Fill in names and values; raises ConstrictorError where the table's labels are of no use."""

    @abstractmethod
    def count(self, values: np.ndarray) -> dict[str, int]:
        """How many of some rows' values have each name; empty where there is nothing to count."""


class Classes(Labels[ClassificationTask]):
    """``(rows,)`` class numbers."""

    def read(self, frame: pd.DataFrame) -> None:
        """Each row names one class."""
        column = frame[self.task.columns.label]
        _refuse_empty(frame, self.task.columns.label)
        self.names = self.task.labels or _sorted(column.unique().tolist())
        self._check(column)
        self.values = column.map({name: number for number, name in enumerate(self.names)}).to_numpy(np.int64)

    def _check(self, column: pd.Series) -> None:
        name = self.task.columns.label
        if len(self.names) < 2:
            raise ConstrictorError(
                f"all rows have the label '{self.names[0]}' (column '{name}'): a task needs two classes or more."
            )
        _refuse_unknown(column.tolist(), self.names, name)
        if self.task.labels is None and len(self.names) > max(50, len(column) // 10):
            raise ConstrictorError(
                f"the column '{name}' holds {len(self.names)} different labels in {len(column)} rows: "
                "is it really the label column? If so, list them in 'labels'. (For numbers to be predicted: "
                "'kind: regression'.)"
            )
        if self.task.metric == "f1" and len(self.names) != 2:
            raise ConstrictorError(
                f"the metric 'f1' is that of the second of two classes, and this task has {len(self.names)}. "
                "Use macro_f1 or weighted_f1."
            )

    def count(self, values: np.ndarray) -> dict[str, int]:
        """Examples a class."""
        counts = Counter(values.tolist())
        return {name: counts[number] for number, name in enumerate(self.names)}


class LabelSets(Labels[MultilabelTask]):
    """``(rows, labels)`` zeros and ones, as float32."""

    def read(self, frame: pd.DataFrame) -> None:
        """Each row has a column a label, or one column that lists its labels."""
        if self.task.columns.labels:
            self.names = list(self.task.columns.labels)
            self.values = np.stack([self._flags(frame, name) for name in self.names], axis=1)
        else:
            self._split_lists(frame)
        unused = [name for name, count in self.count(self.values).items() if count == 0]
        if unused:
            raise ConstrictorError(f"no row has the label '{unused[0]}'. Leave it out.")
        bare = frame["id"][self.values.sum(axis=1) == 0]
        if len(bare) and self.task.refuse_unlabelled:
            raise ConstrictorError(
                f"{len(bare)} rows have none of the labels; the first, counted from 0: {', '.join(bare.head(5))}. "
                "Leave them out with 'filter', or allow them with 'refuse_unlabelled: false'."
            )

    def _flags(self, frame: pd.DataFrame, column: str) -> np.ndarray:
        _refuse_empty(frame, column)
        known = {"1": 1, "0": 0, "true": 1, "false": 0, "yes": 1, "no": 0}
        flags = frame[column].str.strip().str.lower().map(known)
        if flags.isna().any():
            wrong = frame[flags.isna()].iloc[0]
            raise ConstrictorError(
                f"the column '{column}' of a multi-label task holds '{wrong[column]}' (row {wrong['id']}, counted from 0). "
                f"Allowed: {', '.join(known)}."
            )
        return flags.to_numpy(np.float32)

    def _split_lists(self, frame: pd.DataFrame) -> None:
        lists = [
            [part.strip() for part in cell.split(self.task.columns.separator) if part.strip()]
            for cell in frame[self.task.columns.label]
        ]
        found = sorted({name for names in lists for name in names})
        self.names = self.task.labels or found
        _refuse_unknown(found, self.names, self.task.columns.label)
        if len(self.names) > max(50, len(frame) // 10) and self.task.labels is None:
            raise ConstrictorError(
                f"the column '{self.task.columns.label}' holds {len(self.names)} different labels in {len(frame)} rows: "
                "is it really the label column, and are its labels separated by "
                f"'{self.task.columns.separator}'? If so, list them in 'labels'."
            )
        place = {name: number for number, name in enumerate(self.names)}
        self.values = np.zeros((len(lists), len(self.names)), np.float32)
        for row, names in enumerate(lists):
            self.values[row, [place[name] for name in names]] = 1

    def count(self, values: np.ndarray) -> dict[str, int]:
        """Examples with each label."""
        return dict(zip(self.names, values.sum(axis=0).astype(int).tolist(), strict=True))


class Values(Labels[RegressionTask]):
    """``(rows,)`` numbers, as float32."""

    def read(self, frame: pd.DataFrame) -> None:
        """Each row has a number."""
        column = self.task.columns.label
        _refuse_empty(frame, column)
        self.names = [column]
        try:
            self.values = frame[column].to_numpy(dtype=str).astype(np.float32)
        except ValueError:
            wrong = next(row for _, row in frame.iterrows() if not _is_number(row[column]))
            raise ConstrictorError(
                f"the column '{column}' holds '{wrong[column]}' (row {wrong['id']}, counted from 0), and a regression task "
                "needs numbers. For names, use 'kind: classification'."
            ) from None
        if not np.isfinite(self.values).all():
            raise ConstrictorError(f"the column '{column}' holds an infinite value or NaN.")
        if self.values.min() == self.values.max():
            raise ConstrictorError(f"all rows have the value {self.values[0]:g} (column '{column}').")

    def count(self, values: np.ndarray) -> dict[str, int]:
        """Nothing."""
        return {}


def labels_of(task: Task, frame: pd.DataFrame) -> Labels[AnyTask]:
    """The labels of a task's table.

    Args:
        task: the task's settings.
        frame: the rows, all cells text, with a column ``id``.

    Raises:
        ConstrictorError: an empty cell, an unknown label, a single class, a cell that is no number or no flag.
    """
    kinds: dict[type[Task], type[Labels[AnyTask]]] = {
        ClassificationTask: Classes,  # type: ignore[dict-item]
        MultilabelTask: LabelSets,  # type: ignore[dict-item]
        RegressionTask: Values,  # type: ignore[dict-item]
    }
    return kinds[type(task)](task, frame)  # type: ignore[arg-type]


def _refuse_empty(frame: pd.DataFrame, column: str) -> None:
    empty = frame[frame[column].str.strip() == ""]
    if len(empty):
        raise ConstrictorError(
            f"{len(empty)} rows have no label (column '{column}'); the first, counted from 0: "
            f"{', '.join(empty['id'].head(5))}. Fill them in, or leave them out with 'filter'."
        )


def _refuse_unknown(found: Sequence[str], labels: Sequence[str], column: str) -> None:
    unknown = [label for label in found if label not in labels]
    if len(unknown) == len(found):
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


def _sorted(found: list[str]) -> list[str]:
    """By value if all are numbers, by letter otherwise."""
    try:
        return sorted(found, key=float)
    except ValueError:
        return sorted(found)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
