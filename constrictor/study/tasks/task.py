"""What tasks of every kind have: where their examples come from, and what is held out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from constrictor.study.settings import Name, Settings
from constrictor.study.sources import DataSource, Filter, TaskSource
from constrictor.study.splits import SPLITS, Split


class Task(Settings):
    """What all kinds of task have. A kind adds its own keys in a subclass."""

    kind: str
    metric: str
    weighs_classes: ClassVar[bool] = False
    """Whether `class_weights` of a step mean something for this kind."""

    source: TaskSource = Field(description="Where the examples come from: one source, or one a split.")
    filter: Filter = Field(
        {}, description="Keep the rows whose columns have these values (a value or a list of values)."
    )
    split: Split = Field(default_factory=Split, description="What is held out for validation and test.")
    extra_test_sets: dict[Name, DataSource] = Field(
        {},
        description="Further test sets with the same columns and classes. Nothing is learned or decided on them; each model "
        "answers them, and the report has a column for each.",
    )
    fraction: float = Field(
        1.0, gt=0, le=1, description="Share of the examples to use, class by class, in every split: for debugging."
    )
    max_samples: int | None = Field(
        None,
        ge=1,
        description="Train on at most so many examples, drawn class by class: for a quick look. What is held out stays "
        "whole. Default: all.",
    )
    drop_empty: bool = Field(
        False,
        description="Leave out the rows without a text. Default: such data are refused, since most often it is a mistake.",
    )
    max_length: int = Field(128, ge=8, description="Longest input in tokens; longer texts are cut.")

    @model_validator(mode="after")
    def _name_no_split(self) -> Task:
        taken = [name for name in self.extra_test_sets if name in SPLITS]
        if taken:
            raise ValueError(f"'extra_test_sets' cannot be called '{taken[0]}': that is a split of every task")
        return self
