"""Settings of the stage `prune`: set weights to zero, then let the rest recover."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from constrictor.study.steps.step import Optimisation


class Prune(Optimisation):
    """Zero the encoder's least important linear weights, and keep them at zero while the others recover.

    Recovery learns from the labels; where the recipe was distilled, from the same teacher's logits as well.
    """

    stage: Literal["prune"] = Field(description="The stage.")
    method: Literal["magnitude"] = Field(description="How the importance of a weight is judged.")
    sparsity: float = Field(gt=0, lt=1, description="Share of the encoder's linear weights that become zero.")
    scope: Literal["global", "layer"] = Field(
        "global", description="`global` ranks all matrices together; `layer` prunes each to the same share."
    )
    finetune_epochs: int = Field(0, ge=0, description="Epochs of recovery. The pruned model itself also competes.")
