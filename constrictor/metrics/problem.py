"""The kinds of problem by the name that a task gives them."""

from __future__ import annotations

from constrictor.metrics.classification import Classification
from constrictor.metrics.measure import Problem
from constrictor.metrics.multilabel import Multilabel
from constrictor.metrics.regression import Regression

KINDS: dict[str, type[Problem]] = {
    "classification": Classification,
    "multilabel": Multilabel,
    "regression": Regression,
}


def problem_of(kind: str, names: list[str]) -> Problem:
    """What a task of a kind, whose outputs have these names, is scored by."""
    return KINDS[kind](names)
