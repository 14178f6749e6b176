"""Settings of the stage `finetune`: train a model on a task's labels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from constrictor.study.model_state import LayerCount, ModelState, not_float32
from constrictor.study.settings import MAPPING, PLAIN, Settings, plain_or_mapping
from constrictor.study.steps.adapter import Tuning
from constrictor.study.steps.kept_head import ReplaceableHead
from constrictor.study.steps.step import Initialization, Optimisation


class SomeLayers(Settings):
    """A model of which only some layers are kept."""

    from_: str = Field(alias="from", description="Name of the model.")
    layers: list[int] = Field(min_length=1, description="Layers to keep, numbered from 0.", examples=[[0, 2, 4]])


StartModel = Annotated[
    Annotated[str, Tag(PLAIN)] | Annotated[SomeLayers, Tag(MAPPING)], Discriminator(plain_or_mapping)
]


class Finetune(Optimisation, Tuning, ReplaceableHead):
    """Train on the labels of the task and keep the best epoch on validation."""

    stage: Literal["finetune"] = Field(description="The stage.")
    model: StartModel | None = Field(
        None,
        description="Name of the model to start from, optionally with the layers to keep. Required if the step begins a "
        "recipe; not allowed otherwise.",
        examples=["minilm", {"from": "minilm", "layers": [0, 2, 4]}],
    )
    epochs: int = Field(3, ge=1, description="Number of epochs over the training examples.")

    @property
    def initialization(self) -> Initialization | None:
        """The checkpoint, if the step begins a recipe."""
        if self.model is None:
            return None
        name = self.model.from_ if isinstance(self.model, SomeLayers) else self.model
        return Initialization(name, self.layers, ("model",))

    @property
    def layers(self) -> list[int] | None:
        """Layers that are kept of the checkpoint; None for all."""
        return self.model.layers if isinstance(self.model, SomeLayers) else None

    @property
    def training_epochs(self) -> int:
        """Number of training epochs."""
        return self.epochs

    @property
    def training_sets(self) -> dict[str, int]:
        """All training examples."""
        return {"train": 1}

    def after(self, name: str, parent: ModelState | None, layers_of: LayerCount) -> ModelState | str:
        """A float32 model with the layers of its parent or of its checkpoint."""
        start = self.initialization
        if parent is None:
            if start is None:
                return f"'{name}' begins it and names no model. Add 'model:' to the step."
            return ModelState("torch", "fp32", len(start.layers) if start.layers else layers_of(start.model))
        if start is not None:
            return f"'{name}' starts from the model '{start.model}' and can only begin a recipe."
        return parent if parent.is_float32 else not_float32(name, "trains", parent)
