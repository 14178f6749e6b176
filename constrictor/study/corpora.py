"""Settings of corpora (unlabelled text) and subsets (named selections of examples)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from constrictor.study.settings import Column, Settings
from constrictor.study.sources import DataSource, Filter
from constrictor.study.text_processing import Normalise


class Sentences(Settings):
    """Splitting of documents into sentences."""

    words: tuple[int, int] = Field((5, 40), description="Minimum and maximum number of words of a sentence to keep.")

    @model_validator(mode="after")
    def _ascend(self) -> Sentences:
        if self.words[0] > self.words[1]:
            raise ValueError(f"'words' is {self.words[0]} to {self.words[1]}; the minimum comes first")
        return self


class Corpus(Settings):
    """Unlabelled text, on which a student is trained with the labels of its teacher."""

    source: DataSource = Field(description="Source of the documents.")
    text: Column = Field("text", description="Column of the text.")
    filter: Filter = Field(
        {},
        description="Keep the rows whose columns have these values: a value or a list of values per column. Default: all rows.",
    )
    sentences: Sentences | None = Field(
        None, description="Split the documents into sentences. Default: keep documents whole."
    )
    normalise: Normalise = Field(default_factory=Normalise, description="Text normalization. Default: none.")


class Subset(Settings):
    """A named selection of a task's training examples or of a corpus."""

    of: str = Field(description="Name of the task or corpus to select from.")
    strategy: Literal["random"] = Field("random", description="Selection strategy.")
    size: int = Field(ge=1, description="Number of examples.")
    stratify: bool = Field(False, description="Preserve the class proportions (tasks only).")
    seed: int = Field(42, ge=0, description="Seed of the selection.")
    decontamination_ngram: int = Field(
        8,
        ge=0,
        description="Corpora: exclude texts that share this many consecutive words with a validation or test text of any "
        "task, so that no student is trained on text that it is evaluated on. 0 disables decontamination.",
    )
