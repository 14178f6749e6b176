"""Settings of tasks of the kind `multilabel`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from constrictor.study.settings import Column
from constrictor.study.tasks.text import Columns, LabelledTask


class LabelColumns(Columns):
    """Columns of the examples of a multilabel task."""

    label: Column = Field(
        "label",
        description="Column with the labels of a row: a list, or a text in which they are separated. Not used if `labels` is "
        "set.",
    )
    separator: str = Field(",", min_length=1, description="Separator of the labels in such a text.")
    labels: list[Column] | None = Field(
        None, min_length=2, description="One column of 0 and 1 per label.", examples=[["toxic", "threat"]]
    )

    @property
    def of_labels(self) -> list[str]:
        """The columns of labels."""
        return self.labels or [self.label]

    @property
    def of_lists(self) -> list[str]:
        """The column of lists of labels."""
        return [] if self.labels else [self.label]


class MultilabelTask(LabelledTask):
    """Multilabel classification: any number of labels per text, each a binary decision."""

    kind: Literal["multilabel"] = Field(description="The kind of the task.")
    columns: LabelColumns = Field(default_factory=LabelColumns, description="Columns of the text and of the labels.")
    refuse_unlabelled: bool = Field(
        False, description="Treat rows without any label as an error, for data in which they can only be a mistake."
    )
    metric: Literal["macro_f1", "micro_f1", "weighted_f1", "exact_match"] = Field(
        "macro_f1",
        description="Metric for model selection and for the report. `exact_match` is the fraction of texts with all labels "
        "correct.",
    )

    @model_validator(mode="after")
    def _name_labels_once(self) -> MultilabelTask:
        if self.labels and self.columns.labels:
            raise ValueError("'columns.labels' already names the labels; remove 'labels'")
        return self
