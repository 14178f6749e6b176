"""Settings of the stage `finetune`: train a model on a task's labels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from constrictor.study.settings import MAPPING, PLAIN, Settings, plain_or_mapping
from constrictor.study.steps.adapter import Tuning
from constrictor.study.steps.step import Optimisation


class SomeLayers(Settings):
    """A model cut down to some of its layers before it is trained."""

    from_: str = Field(alias="from", description="Name of the model to start from.")
    layers: list[int] = Field(min_length=1, description="Layers to keep, counted from 0.", examples=[[0, 2, 4]])


StartModel = Annotated[
    Annotated[str, Tag(PLAIN)] | Annotated[SomeLayers, Tag(MAPPING)], Discriminator(plain_or_mapping)
]


class Finetune(Optimisation, Tuning):
    """Train on the task's labels and keep the epoch that is best on validation."""

    stage: Literal["finetune"] = Field(description="The stage.")
    model: StartModel | None = Field(
        None, description="The model to start from, by name; needed where the step begins a recipe, refused elsewhere."
    )
    new_head: bool = Field(
        False, description="Replace a classification head that the model brings, for example one with other classes."
    )
    epochs: int = Field(3, ge=1, description="Passes over the training examples.")

    @property
    def model_name(self) -> str | None:
        """Name of the model that this step starts from, if it begins a recipe."""
        return self.model.from_ if isinstance(self.model, SomeLayers) else self.model

    @property
    def layers(self) -> list[int] | None:
        """Layers that are kept of that model; None for all."""
        return self.model.layers if isinstance(self.model, SomeLayers) else None
