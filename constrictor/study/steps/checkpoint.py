"""Settings of the stage `checkpoint`: begin with a model that is fine-tuned already."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from constrictor.study.model_state import LayerCount, ModelState
from constrictor.study.steps.kept_head import KeptHead
from constrictor.study.steps.step import Initialization, Step


class Checkpoint(Step, KeptHead):
    """Take a fine-tuned checkpoint as it is, with its head. Nothing is trained."""

    stage: Literal["checkpoint"] = Field(description="The stage.")
    model: str = Field(description="Name of the model.", examples=["mine"])

    @property
    def initialization(self) -> Initialization:
        """The checkpoint, whole."""
        return Initialization(self.model, None, ("model",))

    def after(self, name: str, parent: ModelState | None, layers_of: LayerCount) -> ModelState | str:
        """A float32 model with all layers of the checkpoint."""
        if parent is not None:
            return f"'{name}' takes the model '{self.model}' as it is and can only begin a recipe."
        return ModelState("torch", "fp32", layers_of(self.model))
