"""What steps that damage a model on purpose have in common: what they look at first, and how the model recovers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from constrictor.study.settings import Settings
from constrictor.study.steps.feature_distillation import Matching
from constrictor.study.steps.schedules import Alpha, Temperature
from constrictor.study.steps.step import Optimisation


def repeats_per_epoch(train_on: Any) -> Any:
    """Expand the short forms of ``train_on``: a name, or a list of names, is used once per epoch.

    The names are sorted, as they are in canonical JSON, so that everybody who reads them has one order.

    >>> repeats_per_epoch(["train", "imdb_60k"])
    {'imdb_60k': 1, 'train': 1}
    """
    if isinstance(train_on, str):
        return {train_on: 1}
    if isinstance(train_on, list):
        train_on = {str(name): train_on.count(name) for name in train_on}
    if not isinstance(train_on, dict):
        return train_on
    return dict(sorted(train_on.items(), key=lambda item: str(item[0])))


Repeats = Annotated[
    dict[str, Annotated[int, Field(ge=1)]],
    BeforeValidator(repeats_per_epoch, json_schema_input_type=str | list[str] | dict[str, int]),
    Field(min_length=1),
]


class Recovery(Matching, Optimisation):
    """Training that follows the damage: on labels, or on a teacher's logits where the recipe has a teacher."""

    finetune_epochs: int = Field(
        0,
        ge=0,
        description="Epochs of recovery fine-tuning over `train_on`. The model before training also competes on validation.",
    )
    train_on: Repeats = Field(
        {"train": 1},
        description="Training examples of the recovery fine-tuning: `train` and names of subsets. "
        "Unlabelled text needs a teacher.",
        examples=[["train", "imdb_60k"]],
    )
    teacher: str | None = Field(
        None,
        description="Step of the recipe whose model teaches the recovery. Default: the teacher of the recipe's last "
        "distillation; without one, the labels teach alone.",
    )
    alpha: Alpha | None = Field(
        None, description="Weight of the teacher's soft targets. Default: the distillation's, else 0.5."
    )
    temperature: Temperature | None = Field(
        None, description="Temperature of the soft targets. Default: the distillation's, else 2."
    )


class Calibration(Settings):
    """Examples that a method looks at before it decides."""

    calibration: str = Field("train", description="Examples to look at: `train`, or the name of a subset.")
    calibration_size: int = Field(256, ge=32, description="How many of them, drawn by a fixed seed.")
