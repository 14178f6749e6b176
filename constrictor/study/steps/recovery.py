"""Settings that methods of compression share: calibration, and recovery fine-tuning."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field

from constrictor.study.settings import Settings
from constrictor.study.steps.feature_distillation import FeatureDistillation
from constrictor.study.steps.schedules import Alpha, Temperature
from constrictor.study.steps.step import Optimisation


def repeats_per_epoch(train_on: Any) -> Any:
    """Expand the short forms of ``train_on``: a name, or a list of names, is used once per epoch.

    The names are sorted, as in canonical JSON, so that their order is the same everywhere.

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


class Recovery(FeatureDistillation, Optimisation):
    """Recovery fine-tuning after compression: on labels, or on soft targets if the recipe has a teacher."""

    topic: ClassVar[str] = "recovery fine-tuning"
    default_teacher: ClassVar[Literal["distillation", "parent"]] = "distillation"
    """The teacher if the step names none: that of the last distillation of the recipe, or the parent."""

    finetune_epochs: int = Field(
        0,
        ge=0,
        description="Epochs of recovery fine-tuning over `train_on`. The model before it is a candidate on validation, too.",
    )
    train_on: Repeats = Field(
        {"train": 1},
        description="Training examples of the recovery fine-tuning: `train` and names of subsets. Each item of a list is used "
        "once per epoch; `{train: 3, imdb_60k: 1}` sets the repeats per epoch. Unlabelled text requires a teacher.",
        examples=[["train", "imdb_60k"]],
    )
    teacher: str | None = Field(
        None,
        description="Teacher of the recovery fine-tuning: the name of an earlier step of the recipe. Default: the teacher of "
        "the recipe's last distillation; without one, training uses labels only.",
    )
    alpha: Alpha | None = Field(
        None, description="Weight of the loss on soft targets. Default: that of the last distillation, else 0.5."
    )
    temperature: Temperature | None = Field(
        None, description="Softmax temperature. Default: that of the last distillation, else 2."
    )

    @property
    def training_epochs(self) -> int:
        """Number of training epochs."""
        return self.finetune_epochs

    @property
    def training_sets(self) -> dict[str, int]:
        """The training examples."""
        return self.train_on

    def with_labels_alone(self) -> Self:
        """The same recovery fine-tuning with the loss on labels alone."""
        teaching = {"temperature": None, "hidden": None, "attention": None, "teacher": None}
        return self.model_copy(update={"alpha": 0.0, **teaching})


class Calibration(Settings):
    """Calibration on a sample of examples."""

    topic: ClassVar[str] = "calibration"
    reads_key: ClassVar[str | None] = "calibration"

    calibration: str = Field("train", description="Calibration examples: `train`, or the name of a subset.")
    calibration_size: int = Field(256, ge=32, description="Number of calibration examples, drawn with a fixed seed.")

    @property
    def calibration_needs_labels(self) -> bool:
        """Whether the calibration examples must be labelled."""
        return False
