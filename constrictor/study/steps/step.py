"""What every step has, and what every step that trains has."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from constrictor.study.settings import MAPPING, PLAIN, Settings, plain_or_mapping

ClassWeights = Annotated[
    Annotated[Literal["balanced"], Tag(PLAIN)] | Annotated[dict[str, Annotated[float, Field(gt=0)]], Tag(MAPPING)],
    Discriminator(plain_or_mapping),
]
Precision = Literal["auto", "fp32", "tf32", "bf16", "fp16"]


class Gate(Settings):
    """How much a step may cost before the report rejects its result."""

    max_drop: float = Field(
        gt=0,
        lt=1,
        description="Largest accepted loss of the metric against the parent, as a fraction: 0.02 is 2 points.",
    )


class Step(Settings):
    """A named operation on a model."""

    uses_gpu: ClassVar[bool] = False
    """Whether the step computes on a GPU where there is one."""

    gate: Gate | None = Field(
        None,
        exclude=True,  # the report's matter: a changed gate computes nothing again but the comparison
        description="What the step may cost. A model over it stays in the report as rejected, and the rest goes on.",
    )

    grid: dict[str, list[Any]] | None = Field(
        None,
        description="Lists of values for this step's keys. The step becomes one step a combination, named by its values "
        "(`kd-alpha0.5-temperature2`), and a recipe that names the step means all of them.",
    )


class Optimisation(Step):
    """How weights are trained (AdamW; Loshchilov and Hutter, 2019)."""

    uses_gpu: ClassVar[bool] = True

    lr: float = Field(5e-5, gt=0, description="Peak learning rate.")
    batch_size: int = Field(32, ge=1, description="Examples in one forward and backward pass.")
    gradient_accumulation: int = Field(1, ge=1, description="Passes that are summed into one optimiser step.")
    warmup: float = Field(
        0.1, ge=0, lt=1, description="Share of the optimiser steps in which the rate rises from zero."
    )
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="How the rate falls after warm-up.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay; norms and biases are left out.")
    max_gradient_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this global norm.")
    dropout: float | None = Field(None, ge=0, lt=1, description="Dropout while training. Default: the model's own.")
    weight_average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Keep a moving average of the weights with this decay a step, validate it and save it (Polyak and "
        "Juditsky, 1992). 0.995 steadies a fine-tuning of a few hundred steps. Default: the weights as they are.",
    )
    patience: int | None = Field(
        None, ge=1, description="Stop after this many epochs without a better validation metric. Default: never."
    )
    precision: Precision = Field(
        "auto",
        description="Arithmetic of the matrix products. `auto` takes bf16 where the device has it natively, else fp16 with "
        "scaled losses on GPUs with tensor cores, else fp32; `tf32` is float32 with short products on GPUs (Ampere on).",
    )
    class_weights: ClassWeights | None = Field(
        None,
        description="Weight of each class in the label loss: `balanced` gives every class the same say (n / (classes * "
        "count)), a mapping names them; classes that it leaves out weigh 1.",
        examples=["balanced", {"toxic": 3.0}],
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute activations anew in the backward pass: less memory, a third more time, same result."
    )
