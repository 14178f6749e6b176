"""What the kinds have in common whose examples are texts, or pairs of texts, with labels in a table."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from constrictor.study.settings import Settings
from constrictor.study.tasks.task import Task
from constrictor.study.text_processing import Normalise, Truncation


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


def _spell_label(value: Any) -> Any:
    """A class as it stands in the data: a number is one too, but YAML's booleans have lost how they were spelled."""
    if isinstance(value, bool):
        raise ValueError(f"YAML reads this class as {str(value).lower()}. Put it in quotes, as it stands in the data")
    return str(value) if isinstance(value, int) else value


Label = Annotated[str, BeforeValidator(_spell_label)]


class TextTask(Task):
    """Texts or pairs of texts with labels."""

    columns: Columns = Field(default_factory=Columns, description="Which columns hold the text and the label.")
    normalise: Normalise = Field(default_factory=Normalise, description="What is made equal in the texts' spelling.")
    truncation: Truncation = Field(
        "head",
        description="What stays of a longer text: its head, its tail, or of both, a quarter of the length from the head "
        "and the rest from the tail (Sun et al. 2019).",
    )

    @model_validator(mode="after")
    def _cut_pairs_at_an_end(self) -> Task:
        if self.truncation == "head_tail" and self.columns.pair is not None:
            raise ValueError("'truncation: head_tail' is for single texts; of a pair use 'head' or 'tail'")
        return self


class LabelledTask(TextTask):
    """Texts or pairs of texts with labels from a fixed set."""

    labels: list[Label] | None = Field(
        None,
        min_length=2,
        description="The classes, in the order of the model's outputs. Default: all that occur, sorted.",
    )

    @model_validator(mode="after")
    def _name_each_class_once(self) -> LabelledTask:
        twice = [label for label in self.labels or [] if (self.labels or []).count(label) > 1]
        if twice:
            raise ValueError(f"'labels' names the class '{twice[0]}' twice")
        return self
