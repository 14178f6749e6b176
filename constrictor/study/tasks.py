"""Tasks: labelled data with a problem to solve."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from constrictor.study.reading import Normalise, Truncation
from constrictor.study.settings import Name, Settings
from constrictor.study.sources import DataSource, Filter, TaskSource
from constrictor.study.splits import SPLITS, Split


class Columns(Settings):
    """Which columns of the source hold what."""

    text: str = Field("text", description="Column with the text.")
    pair: str | None = Field(None, description="Column with a second text, for tasks about pairs of texts.")
    label: str = Field("label", description="Column with the class, a name or a number; for a regression, the value.")

    @property
    def texts(self) -> list[str]:
        """The columns with text."""
        return [self.text] if self.pair is None else [self.text, self.pair]

    @property
    def of_labels(self) -> list[str]:
        """The columns with labels."""
        return [self.label]

    @model_validator(mode="after")
    def _be_different(self) -> Columns:
        names = [*self.texts, *self.of_labels]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"'{twice[0]}' is named twice; each must be a column of its own")
        return self


class LabelColumns(Columns):
    """Which columns of the source hold what, where a text may have several labels."""

    label: str = Field("label", description="Column that lists the labels of a row; not read where `labels` is given.")
    separator: str = Field(",", min_length=1, description="What stands between the labels in that column.")
    labels: list[str] | None = Field(
        None, min_length=2, description="A column a label, each with 0 or 1.", examples=[["toxic", "threat"]]
    )

    @property
    def of_labels(self) -> list[str]:
        """The columns with labels."""
        return self.labels or [self.label]


def _spell_label(value: Any) -> Any:
    """A class as it stands in the data: a number is one too, but YAML's booleans have lost how they were spelled."""
    if isinstance(value, bool):
        raise ValueError(f"YAML reads this class as {str(value).lower()}. Put it in quotes, as it stands in the data")
    return str(value) if isinstance(value, int) else value


Label = Annotated[str, BeforeValidator(_spell_label)]


class Task(Settings):
    """What all kinds of task have."""

    source: TaskSource = Field(description="Where the examples come from: one source, or one a split.")
    columns: Columns = Field(default_factory=Columns, description="Which columns hold the text and the label.")
    filter: Filter = Field(
        {}, description="Keep the rows whose columns have these values (a value or a list of values)."
    )
    split: Split = Field(default_factory=Split, description="What is held out for validation and test.")
    extra_tests: dict[Name, DataSource] = Field(
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
    normalise: Normalise = Field(default_factory=Normalise, description="What is made equal in the texts' spelling.")
    max_length: int = Field(128, ge=8, description="Longest input in tokens; longer texts are cut.")
    truncation: Truncation = Field(
        "head",
        description="What stays of a longer text: its head, its tail, or of both, a quarter of the length from the head "
        "and the rest from the tail (Sun et al. 2019).",
    )

    @model_validator(mode="after")
    def _name_no_split(self) -> Task:
        taken = [name for name in self.extra_tests if name in SPLITS]
        if taken:
            raise ValueError(f"'extra_tests' cannot be called '{taken[0]}': that is a split of every task")
        return self

    @model_validator(mode="after")
    def _cut_pairs_at_an_end(self) -> Task:
        if self.truncation == "head_tail" and self.columns.pair is not None:
            raise ValueError("'truncation: head_tail' is for single texts; of a pair use 'head' or 'tail'")
        return self


class _Labelled(Task):
    labels: list[Label] | None = Field(
        None,
        min_length=2,
        description="The classes, in the order of the model's outputs. Default: all that occur, sorted.",
    )

    @model_validator(mode="after")
    def _name_each_class_once(self) -> _Labelled:
        twice = [label for label in self.labels or [] if (self.labels or []).count(label) > 1]
        if twice:
            raise ValueError(f"'labels' names the class '{twice[0]}' twice")
        return self


class ClassificationTask(_Labelled):
    """Texts or pairs of texts, each of exactly one class."""

    kind: Literal["classification"] = Field("classification", description="The problem type.")
    metric: Literal["accuracy", "macro_f1", "weighted_f1", "mcc", "f1"] = Field(
        "accuracy",
        description="The metric that picks the best epoch and stands in the report. `f1` is that of the second of two "
        "classes.",
    )


class MultilabelTask(_Labelled):
    """Texts with any number of labels each; each label is a decision of its own."""

    kind: Literal["multilabel"] = Field(description="The problem type.")
    columns: LabelColumns = Field(
        default_factory=LabelColumns, description="Which columns hold the text and the labels."
    )
    refuse_unlabelled: bool = Field(
        False, description="Refuse rows with none of the labels, where that can only be a mistake."
    )
    metric: Literal["macro_f1", "micro_f1", "weighted_f1", "exact_match"] = Field(
        "macro_f1",
        description="The metric that picks the best epoch and stands in the report. `exact_match` is the share of texts "
        "with all labels right.",
    )

    @model_validator(mode="after")
    def _name_labels_once(self) -> MultilabelTask:
        if self.labels and self.columns.labels:
            raise ValueError("'columns.labels' names the labels already; leave 'labels' out")
        return self


class RegressionTask(Task):
    """Texts or pairs of texts, each with a value to predict."""

    kind: Literal["regression"] = Field(description="The problem type.")
    metric: Literal["pearson", "spearman", "pearson_spearman", "r2"] = Field(
        "pearson_spearman", description="The metric that picks the best epoch and stands in the report."
    )


def kind(value: Any) -> str:
    """The problem type of a task, which is classification where it says none."""
    return str(value.get("kind", "classification") if isinstance(value, dict) else getattr(value, "kind", ""))


AnyTask = Annotated[
    Annotated[ClassificationTask, Tag("classification")]
    | Annotated[MultilabelTask, Tag("multilabel")]
    | Annotated[RegressionTask, Tag("regression")],
    Discriminator(kind),
]
