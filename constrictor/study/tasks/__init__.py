"""Settings of tasks: one module per kind, and their union."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from constrictor.study.tasks.classification import ClassificationTask
from constrictor.study.tasks.multilabel import MultilabelTask
from constrictor.study.tasks.question_answering import QuestionAnsweringTask
from constrictor.study.tasks.regression import RegressionTask


def kind(value: Any) -> str:
    """The kind of a task; the default is classification."""
    return str(value.get("kind", "classification") if isinstance(value, dict) else getattr(value, "kind", ""))


AnyTask = Annotated[
    Annotated[ClassificationTask, Tag("classification")]
    | Annotated[MultilabelTask, Tag("multilabel")]
    | Annotated[QuestionAnsweringTask, Tag("question_answering")]
    | Annotated[RegressionTask, Tag("regression")],
    Discriminator(kind),
]
