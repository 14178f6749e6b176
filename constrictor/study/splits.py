"""The splits of a task, and the fractions that are held out."""

from __future__ import annotations

from pydantic import Field, model_validator

from constrictor.study.settings import Settings, Share

SPLITS = ("train", "validation", "test")
HELD_OUT = ("validation", "test")


class Split(Settings):
    """Fractions of the examples that are held out, stratified. Not used for splits that the source provides."""

    validation: Share = Field(0.1, description="Fraction for validation, on which all decisions are made.")
    test: Share = Field(0.1, description="Fraction for test, which is used once, for the final evaluation.")
    seed: int = Field(
        0, ge=0, description="Seed of the split, independent of the replicates' seeds: all share one test split."
    )

    @model_validator(mode="after")
    def _leave_training_examples(self) -> Split:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation + test is {self.validation + self.test:g}; it must be less than 1")
        return self
