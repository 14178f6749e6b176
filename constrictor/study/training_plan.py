"""What one training reads: its training sets, the teachers' outputs for them, and how both are weighed.

It is computed while planning and handed to the script as JSON, so that examples, outputs and repeats cannot be paired wrongly.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from constrictor.study.settings import Settings
from constrictor.study.steps.distil import SoftTargets


class TrainingSet(Settings):
    """Examples, with the outputs of each teacher for them."""

    examples: Path = Field(description="Parquet file of examples.")
    outputs: list[Path] = Field(
        [], description="One file a teacher, the first of them the parent or the teacher of a recovery fine-tuning."
    )
    repeats: int = Field(1, ge=1, description="How often an epoch reads these examples.")


class TrainingPlan(Settings):
    """The training sets, in their order, and what is learned from a teacher.

    >>> TrainingPlan(sets=[TrainingSet(examples="train.parquet")]).canonical()
    '{"sets":[{"examples":"train.parquet","outputs":[],"repeats":1}]}'
    """

    sets: list[TrainingSet] = Field(min_length=1, description="What an epoch reads.")
    soft_targets: SoftTargets | None = Field(
        None, description="How the teacher's outputs and the labels are weighed; without it labels alone count."
    )
    teacher: Path | None = Field(
        None, description="Folder of the online teacher's model, where its intermediate representations are needed."
    )

    @property
    def files(self) -> list[Path]:
        """Every file of examples and outputs."""
        return [file for part in self.sets for file in (part.examples, *part.outputs)]
