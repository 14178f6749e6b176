"""The splits of a task, and how much is held out for two of them."""

from __future__ import annotations

from pydantic import Field, model_validator

from constrictor.study.settings import Settings, Share

SPLITS = ("train", "validation", "test")
HELD_OUT = ("validation", "test")


class Split(Settings):
    """Shares of the examples that are held out, drawn class by class."""

    validation: Share = Field(0.1, description="Share for validation: every decision is taken on it.")
    test: Share = Field(0.1, description="Share for test: read once, by `evaluate`.")
    seed: int = Field(
        0, ge=0, description="Seed of the draw. It is apart from the replicates' seeds: all share one test."
    )

    @model_validator(mode="after")
    def _leave_training_examples(self) -> Split:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation + test is {self.validation + self.test:g}; it must stay below 1")
        return self
