"""A replicate's name, as it stands in paths, and how the examples of a task are cut into folds."""

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
        """Read a name.

        >>> Replicate.parse("seed42-fold3")
        Replicate(seed=42, fold=3)

        Raises:
            ValueError: if it is no replicate's name.
        """
        found = re.fullmatch(r"seed(\d+)(?:-fold(\d+))?", name)
        if found is None:
            raise ValueError(f"'{name}' is no replicate's name")
        return cls(int(found[1]), None if found[2] is None else int(found[2]))


class Folding(Settings):
    """How the examples of a task are cut into folds: all that the cutting reads of a study."""

    folds: int = Field(ge=2, description="Number of parts.")
    keep_test: bool = Field(description="Whether the test split came with the data and stays as it is.")
    validation: Share = Field(description="Share of the examples outside a fold's part that becomes its validation.")
    seed: int = Field(ge=0, description="Seed of the draw.")
