"""Corpora (unlabelled text) and subsets (named selections from them or from tasks)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from constrictor.study.settings import Settings
from constrictor.study.sources import DataSource, Filter
from constrictor.study.text_processing import Normalise


class Sentences(Settings):
    """Cut documents into sentences."""

    words: tuple[int, int] = Field((5, 40), description="Keep sentences of this many words, from and to.")

    @model_validator(mode="after")
    def _rise(self) -> Sentences:
        if self.words[0] > self.words[1]:
            raise ValueError(f"'words' goes from {self.words[0]} to {self.words[1]}. Put the smaller number first")
        return self


class Corpus(Settings):
    """Unlabelled text: a teacher labels it, and a student learns from those labels."""

    source: DataSource = Field(description="Where the documents come from.")
    text: str = Field("text", description="Column with the text.")
    filter: Filter = Field({}, description="Keep the rows whose columns have these values.")
    sentences: Sentences | None = Field(None, description="Cut the documents into sentences.")
    normalise: Normalise = Field(default_factory=Normalise, description="What is made equal in the texts' spelling.")


class Subset(Settings):
    """A named selection from a task's training examples or from a corpus."""

    of: str = Field(description="The task or corpus to select from.")
    strategy: Literal["random"] = Field("random", description="How the examples are chosen.")
    size: int = Field(ge=1, description="Number of examples.")
    stratify: bool = Field(False, description="Keep the shares of the classes (tasks only).")
    seed: int = Field(42, ge=0, description="Seed of the draw.")
    decontamination_ngram: int = Field(
        8,
        ge=0,
        description="Corpora: leave out a text that shares this many words in a row with a validation or test text of "
        "any task, so that a student never reads what it is examined on. 0 switches the check off.",
    )
