"""Settings of tasks of the kind `question_answering`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from constrictor.study.settings import Column, Settings
from constrictor.study.steps.export import Export
from constrictor.study.steps.step import Step
from constrictor.study.tasks.task import StepProblem, Task


class QuestionColumns(Settings):
    """Columns of the questions. A file in SQuAD's own layout has them under these names."""

    id: Column = Field(
        "id", description="Column of the question's id. Default: `id` if there is such a column, else row numbers."
    )
    question: Column = Field("question", description="Column of the question.")
    context: Column = Field("context", description="Column of the passage that contains the answer.")
    answers: Column = Field(
        "answers",
        description="Column of the answers: a text, a list of texts, or SQuAD's `answers` with `text` and `answer_start`. CSV "
        "files contain lists and objects as JSON or as Python prints them. An empty cell or list means that the question has no "
        "answer.",
    )
    answer_start: Column | None = Field(
        None,
        description="Column of the number of characters before an answer, if `answers` contains a single text. Default: an "
        "answer without a position is its first occurrence in the context.",
    )

    @property
    def needed(self) -> list[str]:
        """The columns that a source must have."""
        return [self.question, self.context, self.answers, *([self.answer_start] if self.answer_start else [])]

    @model_validator(mode="after")
    def _be_different(self) -> QuestionColumns:
        names = [self.id, *self.needed]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"'{twice[0]}' is named twice; the columns must be different")
        return self


class QuestionAnsweringTask(Task):
    """Extractive question answering: the answer is a span of a passage (Rajpurkar et al., 2016)."""

    topic: ClassVar[str] = "question_answering"
    learns_from_corpora: ClassVar[bool] = False

    kind: Literal["question_answering"] = Field(description="The kind of the task.")
    columns: QuestionColumns = Field(default_factory=QuestionColumns, description="Columns of the questions.")
    metric: Literal["f1", "exact_match"] = Field(
        "f1",
        description="Metric for model selection and for the report, as SQuAD's official script computes it: the token overlap "
        "with the nearest reference, or the fraction of answers that equal one.",
    )
    unanswerable: Literal["refuse", "drop", "predict"] = Field(
        "refuse",
        description="Questions without an answer in their context (SQuAD 2.0): `refuse` treats them as an error, `drop` leaves "
        "them out, and `predict` lets models answer that there is none; the report then also has the metric with a null "
        "threshold chosen on validation.",
    )
    drop_misplaced: bool = Field(
        False,
        description="Drop answers that are not in their context at their position, and questions that have no other. By default "
        "such answers are an error, since most often the offsets were counted in another text.",
    )
    max_length: int = Field(
        384, ge=16, description="Length in tokens of a window: the question and as much of the context as fits."
    )
    stride: int = Field(
        128,
        ge=0,
        description="Tokens of the context that consecutive windows have in common, if it does not fit into one.",
    )
    max_answer_length: int = Field(30, ge=1, description="Maximum length in tokens of a predicted answer.")

    @model_validator(mode="after")
    def _advance(self) -> QuestionAnsweringTask:
        if self.stride >= self.max_length:
            raise ValueError(
                f"'stride' is {self.stride} and 'max_length' is {self.max_length}: windows that share {self.stride} tokens never "
                f"advance. Lower 'stride', for example to {self.max_length // 3}"
            )
        return self

    def step_problem(self, step: Step) -> StepProblem | None:
        """Rewrites that only a head on the first token allows are refused as well."""
        if isinstance(step, Export) and step.optimize:
            return StepProblem(
                "optimize",
                f"whose kind is {self.kind}, the head reads every token, which no rewrite allows. Remove the key.",
            )
        return super().step_problem(step)
