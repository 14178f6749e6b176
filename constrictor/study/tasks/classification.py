"""Settings of tasks of the kind `classification`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from constrictor.study.tasks.text import LabelledTask


class ClassificationTask(LabelledTask):
    """Single-label classification of texts or pairs of texts."""

    weighs_classes: ClassVar[bool] = True

    kind: Literal["classification"] = Field("classification", description="The kind of the task.")
    metric: Literal["accuracy", "macro_f1", "weighted_f1", "mcc", "f1"] = Field(
        "accuracy",
        description="Metric for model selection and for the report. `f1` is that of the second of two classes.",
    )
