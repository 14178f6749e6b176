"""What reading labels from a table has in common: their names, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from constrictor.errors import ConstrictorError, nearest

if TYPE_CHECKING:
    import pandas as pd


class Labels(NamedTuple):
    """The labels of all rows of a table.

    Attributes:
        names: what a model's outputs stand for.
        values: ``(rows,)`` class numbers, ``(rows, labels)`` float32 zeros and ones, or ``(rows,)`` float32 values.
    """

    names: list[str]
    values: np.ndarray


def refuse_unknown(found: Sequence[str], labels: Sequence[str], column: str) -> None:
    """Refuse labels that the task does not list."""
    unknown = [label for label in found if label not in labels]
    if unknown and len(unknown) == len(found):
        held = ", ".join(sorted_labels(sorted(set(found)))[:10])
        raise ConstrictorError(
            f"no row has a label of 'labels' ({', '.join(labels)}): the column '{column}' holds {held}. "
            "List those in 'labels', in the order of the model's outputs, or leave the key out."
        )
    if unknown:
        raise ConstrictorError(
            f"{len(unknown)} rows have a label that is not in 'labels', the first is '{unknown[0]}'. "
            f"{nearest(unknown[0], labels)}"
        )


def refuse_too_many(names: Sequence[str], column: pd.Series, hint: str) -> None:
    """Refuse a column with so many different labels that it is most likely another one."""
    if len(names) > max(50, len(column) // 10):
        raise ConstrictorError(
            f"the column '{column.name}' holds {len(names)} different labels in {len(column)} rows: is it really the label "
            f"column? If so, list them in 'labels'. {hint}"
        )


def sorted_labels(found: list[str]) -> list[str]:
    """By value if all are numbers, by letter otherwise."""
    try:
        return sorted(found, key=float)
    except ValueError:
        return sorted(found)
