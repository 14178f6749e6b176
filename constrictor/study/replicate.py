"""A replicate's name, as used in paths, and how the examples of a task are split into folds."""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic import Field

from constrictor.study.settings import Settings, Share


class Replicate(NamedTuple):
    """One repetition of a task: a seed, or a seed and a fold, counted from 0.

    >>> str(Replicate(42)), str(Replicate(42, 3))
    ('seed42', 'seed42-fold3')
    """

    seed: int
    fold: int | None = None

    def __str__(self) -> str:
        return f"seed{self.seed}" + ("" if self.fold is None else f"-fold{self.fold}")

    @classmethod
    def parse(cls, name: str) -> Replicate:
        """Parse a name.

        >>> Replicate.parse("seed42-fold3")
        Replicate(seed=42, fold=3)

        Raises:
            ValueError: if it is not the name of a replicate.
        """
        found = re.fullmatch(r"seed(\d+)(?:-fold(\d+))?", name)
        if found is None:
            raise ValueError(f"'{name}' is not the name of a replicate")
        return cls(int(found[1]), None if found[2] is None else int(found[2]))


class Folding(Settings):
    """How the examples of a task are split into folds."""

    folds: int = Field(ge=2, description="Number of folds.")
    keep_test: bool = Field(description="Whether the source provides the test split, which is then kept.")
    validation: Share = Field(description="Fraction of the examples outside a fold for its validation split.")
    seed: int = Field(ge=0, description="Seed of the folds.")
