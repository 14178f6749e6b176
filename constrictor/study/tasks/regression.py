"""Settings of tasks of the kind `regression`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from constrictor.study.tasks.text import TextTask


class RegressionTask(TextTask):
    """Regression of one value per text or pair of texts."""

    kind: Literal["regression"] = Field(description="The kind of the task.")
    metric: Literal["pearson", "spearman", "pearson_spearman", "r2"] = Field(
        "pearson_spearman",
        description="Metric for model selection and for the report. `pearson_spearman` is the mean of both correlations.",
    )
