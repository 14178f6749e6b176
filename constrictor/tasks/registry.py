"""The kinds of problem by the name that a task gives them."""

from __future__ import annotations

from constrictor.tasks.classification.metrics import Classification
from constrictor.tasks.measure import Problem
from constrictor.tasks.multilabel.metrics import Multilabel
from constrictor.tasks.regression.metrics import Regression

KINDS: dict[str, type[Problem]] = {
    "classification": Classification,
    "multilabel": Multilabel,
    "regression": Regression,
}


def problem_of(kind: str, names: list[str]) -> Problem:
    """What a task of a kind, whose outputs have these names, is scored by."""
    return KINDS[kind](names)
