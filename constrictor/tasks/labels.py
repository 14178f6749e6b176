"""What reading labels from a table has in common: their names, and what is refused."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from constrictor.data.spelling import likeness, plain
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


def names_by_spelling(found: Iterable[str], listed: Sequence[str] | None, column: str) -> dict[str, str]:
    """The label that each spelling stands for.

    Args:
        found: the spellings in the data, each once.
        listed: the labels that the task lists, if it does; a spelling that is none of them has no entry.
        column: the column, for the message.

    Raises:
        ConstrictorError: if nothing is listed and two labels are most likely one.

    >>> names_by_spelling(["1.0", "good", "1", "good "], None, "label")
    {'1.0': '1', '1': '1', 'good': 'good', 'good ': 'good'}
    >>> names_by_spelling(["1.0", "2"], ["1", "0"], "label")
    {'1.0': '1'}
    """
    if listed:
        return {spelling: name for spelling in found if (name := _among(spelling, listed)) is not None}
    same: dict[str, list[str]] = {}
    for spelling in found:
        same.setdefault(plain(spelling), []).append(spelling)
    names = {written: min(spellings, key=lambda text: (len(text), text)) for written, spellings in same.items()}
    _refuse_alike(sorted(names.values()), column)
    return {spelling: names[written] for written, spellings in same.items() for spelling in spellings}


def _among(spelling: str, listed: Sequence[str]) -> str | None:
    """The listed label that is spelled so; if there is none, the only one that means the same."""
    if spelling in listed:
        return spelling
    same = [label for label in listed if plain(label) == plain(spelling)]
    return same[0] if len(same) == 1 else None


def _refuse_alike(names: Iterable[str], column: str) -> None:
    """Refuse labels that are most likely one, written in two ways."""
    alike: dict[Hashable, str] = {}
    for name in names:
        twin = alike.setdefault(likeness(name), name)
        if twin != name:
            raise ConstrictorError(
                f"the column '{column}' holds the classes {twin!r} and {name!r}, which differ only in case, in invisible "
                "characters or in how a number is written. Make them one in the data; or, if they are two, list all classes in "
                "'labels'."
            )


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
