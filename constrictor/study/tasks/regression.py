"""Tasks of the kind `regression`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from constrictor.study.tasks.text import TextTask


class RegressionTask(TextTask):
    """Texts or pairs of texts, each with a value to predict."""

    kind: Literal["regression"] = Field(description="The problem type.")
    metric: Literal["pearson", "spearman", "pearson_spearman", "r2"] = Field(
        "pearson_spearman", description="The metric that picks the best epoch and stands in the report."
    )
