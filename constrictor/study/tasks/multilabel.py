"""Tasks of the kind `multilabel`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from constrictor.study.tasks.text import Columns, LabelledTask


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


class MultilabelTask(LabelledTask):
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
