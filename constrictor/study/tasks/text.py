"""Settings of the kinds whose examples are texts, or pairs of texts, with labels in a table."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from constrictor.study.settings import Column, Label, Settings
from constrictor.study.tasks.task import Task
from constrictor.study.text_processing import Normalise, Truncation


class Columns(Settings):
    """Columns of the examples."""

    text: Column = Field("text", description="Column of the text.")
    pair: Column | None = Field(None, description="Column of the second text, for tasks about pairs of texts.")
    label: Column = Field(
        "label", description="Column of the label: a class name or number; for regression, the value."
    )

    @property
    def texts(self) -> list[str]:
        """The columns of texts."""
        return [self.text] if self.pair is None else [self.text, self.pair]

    @property
    def of_labels(self) -> list[str]:
        """The columns of labels."""
        return [self.label]

    @property
    def of_lists(self) -> list[str]:
        """The columns that may hold lists."""
        return []

    @model_validator(mode="after")
    def _be_different(self) -> Columns:
        names = [*self.texts, *self.of_labels]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"'{twice[0]}' is named twice; the columns must be different")
        return self


class TextTask(Task):
    """Texts or pairs of texts with labels."""

    topic: ClassVar[str] = "text"
    columns: Columns = Field(default_factory=Columns, description="Columns of the text and of the label.")
    normalise: Normalise = Field(default_factory=Normalise, description="Text normalization. Default: none.")
    truncation: Truncation = Field(
        "head",
        description="Part of a longer text that is kept: the `head`, the `tail`, or `head_tail`, a quarter of the length from "
        "the head and the rest from the tail (Sun et al., 2019).",
    )

    @model_validator(mode="after")
    def _truncate_pairs_at_one_end(self) -> TextTask:
        if self.truncation == "head_tail" and self.columns.pair is not None:
            raise ValueError("'truncation: head_tail' applies to single texts only; for pairs use 'head' or 'tail'")
        return self


class LabelledTask(TextTask):
    """Texts or pairs of texts with labels from a fixed set."""

    topic: ClassVar[str] = "labels"
    labels: list[Label] | None = Field(
        None,
        min_length=2,
        description="The classes, in the order of the model's outputs. Default: all classes in the data, sorted.",
        examples=[["negative", "positive"]],
    )

    @model_validator(mode="after")
    def _name_each_class_once(self) -> LabelledTask:
        twice = [label for label in self.labels or [] if (self.labels or []).count(label) > 1]
        if twice:
            raise ValueError(f"'labels' contains the class '{twice[0]}' twice")
        return self
