"""Settings of the stage `distil`: train a student on the parent's logits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from constrictor.study.settings import Once, Settings, by_key
from constrictor.study.steps.adapter import Tuning
from constrictor.study.steps.feature_distillation import Matching
from constrictor.study.steps.recovery import Repeats
from constrictor.study.steps.schedules import Alpha, Temperature
from constrictor.study.steps.step import Optimisation


class StudentLayers(Settings):
    """A student made of some of the teacher's layers."""

    layers: list[int] = Field(min_length=1, description="The teacher's layers to keep, counted from 0.")


class StudentModel(Settings):
    """A student that starts from a checkpoint of its own."""

    model: str = Field(description="Name of the model.")


Student = Annotated[
    Annotated[StudentLayers, Tag("layers")] | Annotated[StudentModel, Tag("model")],
    Discriminator(
        by_key(layers="layers", model="model"),
        custom_error_type="student",
        custom_error_message="needs the key 'layers' (of the teacher) or 'model' (a model's name)",
    ),
]


class SoftTargets(Matching):
    """How what the teacher says and the labels are mixed."""

    alpha: Alpha = Field(
        0.5, description="Weight of the teacher's soft targets; the labels weigh 1 - alpha. A number or a schedule."
    )
    temperature: Temperature = Field(
        2.0, description="Temperature that softens both distributions. A number or a schedule."
    )
    loss: Literal["kl", "mse", "hard"] = Field(
        "kl",
        description="Loss against the teacher's logits: `kl` of the softened distributions, `mse` of the logits themselves "
        "(Kim et al., 2021), or `hard`, cross-entropy with the teacher's answer; the last two know no temperature.",
    )


class Distil(Optimisation, SoftTargets, Tuning):
    """Knowledge distillation (Hinton et al., 2015): the parent in the recipe is the teacher."""

    stage: Literal["distil"] = Field(description="The stage.")
    student: Student = Field(description="What the student starts from.")
    train_on: Repeats = Field(
        {"train": 1},
        description="Training examples of the student: `train` and names of subsets, labelled or not. With a list, each is "
        "used once per epoch; `{train: 3, imdb_60k: 1}` sets the repeats per epoch.",
        examples=[["train", "imdb_60k"]],
    )
    co_teachers: Annotated[list[str], Once] = Field(
        [],
        description="Recipes whose models teach beside the parent: the soft targets are the mean of all teachers' logits.",
        examples=[["large", "large_int8"]],
    )
    epochs: int = Field(3, ge=1, description="Number of epochs over `train_on`.")
    dropout: float | None = Field(
        0.0,
        ge=0,
        lt=1,
        description="Dropout while training: none by default, since soft targets regularise; `null` keeps the model's own.",
    )
