"""Tasks (labelled data with a problem to solve), corpora (unlabelled text) and subsets (named selections)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from constrictor.study.reading import Normalise, Truncation
from constrictor.study.settings import Settings, Share, by_key
from constrictor.study.sources import DataSource, HubDataset, LocalFile, PackageFile

Metric = Literal["accuracy", "macro_f1", "weighted_f1", "mcc"]
Filter = dict[str, str | int | float | bool | list[str | int | float | bool]]


class SplitSources(Settings):
    """A data set that comes already split. What is missing is cut from `train` by the task's `split`."""

    train: DataSource = Field(description="The training examples.")
    validation: DataSource | None = Field(None, description="The validation examples.")
    test: DataSource | None = Field(None, description="The test examples.")


TaskSource = Annotated[
    Annotated[PackageFile, Tag("package")]
    | Annotated[LocalFile, Tag("path")]
    | Annotated[HubDataset, Tag("hub")]
    | Annotated[SplitSources, Tag("splits")],
    Discriminator(
        by_key(train="splits", package="package", path="path", hub="hub"),
        custom_error_type="source",
        custom_error_message="needs one of the keys 'package' (with 'file'), 'path', 'hub' or 'train'",
    ),
]


class Columns(Settings):
    """Which columns of the source hold what."""

    text: str = Field("text", description="Column with the text.")
    label: str = Field("label", description="Column with the class: a name or a number.")

    @model_validator(mode="after")
    def _be_two(self) -> Columns:
        if self.text == self.label:
            raise ValueError(f"text and label are both read from '{self.text}'; they must be two columns")
        return self


class Split(Settings):
    """Shares of the examples that are held out, drawn class by class."""

    validation: Share = Field(0.1, description="Share for validation: every decision is taken on it.")
    test: Share = Field(0.1, description="Share for test: read once, by `evaluate`.")
    seed: int = Field(
        0, ge=0, description="Seed of the draw. It is apart from the replicates' seeds: all share one test."
    )

    @model_validator(mode="after")
    def _leave_training_examples(self) -> Split:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation + test is {self.validation + self.test:g}; it must stay below 1")
        return self


def _spell_label(value: Any) -> Any:
    """A class as it stands in the data: a number is one too, but YAML's booleans have lost how they were spelled."""
    if isinstance(value, bool):
        raise ValueError(f"YAML reads this class as {str(value).lower()}. Put it in quotes, as it stands in the data")
    return str(value) if isinstance(value, int) else value


Label = Annotated[str, BeforeValidator(_spell_label)]


class ClassificationTask(Settings):
    """Texts, each of exactly one class."""

    kind: Literal["classification"] = Field("classification", description="The problem type.")
    source: TaskSource = Field(description="Where the examples come from: one source, or one a split.")
    columns: Columns = Field(default_factory=Columns, description="Which columns hold the text and the label.")
    filter: Filter = Field(
        {}, description="Keep the rows whose columns have these values (a value or a list of values)."
    )
    labels: list[Label] | None = Field(
        None,
        min_length=2,
        description="The classes, in the order of the model's outputs. Default: all that occur, sorted.",
    )
    split: Split = Field(default_factory=Split, description="What is held out for validation and test.")
    fraction: float = Field(1.0, gt=0, le=1, description="Share of the examples to use, class by class: for debugging.")
    normalise: Normalise = Field(default_factory=Normalise, description="What is made equal in the texts' spelling.")
    max_length: int = Field(128, ge=8, description="Longest input in tokens; longer texts are cut.")
    truncation: Truncation = Field(
        "head",
        description="What stays of a longer text: its head, its tail, or of both, a quarter of the length from the head "
        "and the rest from the tail (Sun et al. 2019).",
    )
    metric: Metric = Field("accuracy", description="The metric that picks the best epoch and stands in the report.")

    @model_validator(mode="after")
    def _name_each_class_once(self) -> ClassificationTask:
        twice = [label for label in self.labels or [] if (self.labels or []).count(label) > 1]
        if twice:
            raise ValueError(f"'labels' names the class '{twice[0]}' twice")
        return self


class Sentences(Settings):
    """Cut documents into sentences."""

    words: tuple[int, int] = Field((5, 40), description="Keep sentences of this many words, from and to.")


class Corpus(Settings):
    """Unlabelled text: a teacher labels it, and a student learns from those labels."""

    source: DataSource = Field(description="Where the documents come from.")
    text: str = Field("text", description="Column with the text.")
    filter: Filter = Field({}, description="Keep the rows whose columns have these values.")
    sentences: Sentences | None = Field(None, description="Cut the documents into sentences.")
    normalise: Normalise = Field(default_factory=Normalise, description="What is made equal in the texts' spelling.")


class Subset(Settings):
    """A named selection from a task's training examples or from a corpus."""

    of: str = Field(description="The task or corpus to select from.")
    strategy: Literal["random"] = Field("random", description="How the examples are chosen.")
    size: int = Field(ge=1, description="Number of examples.")
    stratify: bool = Field(False, description="Keep the shares of the classes (tasks only).")
    seed: int = Field(42, ge=0, description="Seed of the draw.")
    held_out_ngram: int = Field(
        8,
        ge=0,
        description="Corpora: leave out a text that shares this many words in a row with a validation or test text of "
        "any task, so that a student never reads what it is examined on. 0 switches the check off.",
    )
