"""Settings that tasks of every kind have: where their examples come from, and what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from pydantic import Field, model_validator

from constrictor.study.settings import Name, Settings
from constrictor.study.sources import DataSource, Filter, TaskSource
from constrictor.study.splits import SPLITS, Split
from constrictor.study.steps.step import Optimisation, Step


class StepProblem(NamedTuple):
    """A key of a step that cannot be used for a task, and why, with the fix: the end of a sentence."""

    key: str
    message: str


class Task(Settings):
    """A data set with a problem type (its kind) and its metrics."""

    weighs_classes: ClassVar[bool] = False
    """Whether the key `class_weights` of a step applies to this kind."""

    learns_from_corpora: ClassVar[bool] = True
    """Whether models of this kind can be trained on texts without labels."""

    kind: str
    metric: str
    source: TaskSource = Field(description="Source of the examples: one for all, or one per split.")
    filter: Filter = Field(
        {},
        description="Keep the rows whose columns have these values: a value or a list of values per column. Default: all rows.",
        examples=[{"language": ["en", "de"]}],
    )
    split: Split = Field(
        default_factory=Split, description="Fractions of the examples held out for validation and test."
    )
    extra_test_sets: dict[Name, DataSource] = Field(
        {},
        description="Additional test sets with the same columns and labels, by name. Every model is evaluated on them; nothing "
        "is trained or decided on them. The report has a column for each.",
        examples=[{"mismatched": {"path": "mismatched.csv"}}],
    )
    fraction: float = Field(
        1.0, gt=0, le=1, description="Fraction of the examples to use, stratified, in every split. For debugging."
    )
    max_samples: int | None = Field(
        None,
        ge=1,
        description="Maximum number of training examples, drawn stratified. Validation and test are not reduced. Default: all.",
    )
    drop_empty: bool = Field(
        False,
        description="Drop rows without text. By default such rows are an error, since most often they are a mistake.",
    )
    max_length: int = Field(128, ge=8, description="Maximum input length in tokens; longer inputs are truncated.")

    @model_validator(mode="after")
    def _name_no_split(self) -> Task:
        taken = [name for name in self.extra_test_sets if name in SPLITS]
        if taken:
            raise ValueError(f"'extra_test_sets' cannot contain '{taken[0]}': every task has a split of that name")
        return self

    def step_problem(self, step: Step) -> StepProblem | None:
        """Why a step of a recipe cannot be used for this task; None if it can.

        Called for every task and every step that occurs in a recipe. A kind that extends it calls `super` first.
        """
        if isinstance(step, Optimisation) and step.class_weights is not None and not self.weighs_classes:
            return StepProblem(
                "class_weights", f"whose kind is {self.kind}, classes cannot be weighted. Remove the key."
            )
        return None

    def chain_problem(self, steps: Sequence[Step]) -> str | None:
        """Why a recipe cannot be built for this task; None if it can.

        Called for every task and every recipe. The message completes the sentence "for the task 'reviews', …".

        Args:
            steps: the steps of the recipe, the first one first.
        """
        return None
