"""The kinds of task by name. A kind is loaded when it is needed: a job depends on the code of its own kind only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from constrictor.errors import ConstrictorError, nearest

if TYPE_CHECKING:
    from constrictor.models.manifest import TaskRecord
    from constrictor.tasks.kind import ExampleReader, Kind, KindModel

KINDS = {
    "classification": "constrictor.tasks.classification",
    "multilabel": "constrictor.tasks.multilabel",
    "question_answering": "constrictor.tasks.question_answering",
    "regression": "constrictor.tasks.regression",
}
"""The package of each kind."""


def kind_of(record: TaskRecord) -> Kind:
    """The kind of a task.

    Raises:
        ConstrictorError: if there is no such kind.
    """
    return import_module(_package(record.kind)).KIND(record)


def reader_of(name: str) -> ExampleReader:
    """What reads the examples of a kind."""
    return cast("ExampleReader", import_module(f"{_package(name)}.examples"))


def model_of(record: TaskRecord) -> KindModel:
    """The losses of a kind. Imports torch."""
    return cast("KindModel", import_module(f"{_package(record.kind)}.model"))


def _package(name: str) -> str:
    if name not in KINDS:
        raise ConstrictorError(f"there is no kind of task '{name}'. {nearest(name, KINDS)}")
    return KINDS[name]
