"""Tasks of the kind `classification`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from constrictor.study.tasks.text import LabelledTask


class ClassificationTask(LabelledTask):
    """Texts or pairs of texts, each of exactly one class."""

    weighs_classes: ClassVar[bool] = True

    kind: Literal["classification"] = Field("classification", description="The problem type.")
    metric: Literal["accuracy", "macro_f1", "weighted_f1", "mcc", "f1"] = Field(
        "accuracy",
        description="The metric that picks the best epoch and stands in the report. `f1` is that of the second of two "
        "classes.",
    )
