"""Settings of the stage `quantize`: store weights in fewer bits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from constrictor.study.steps.step import Step


class Quantize(Step):
    """Half precision, or int8 weights with activations quantized as they come."""

    stage: Literal["quantize"] = Field(description="The stage.")
    method: Literal["fp16", "bf16", "dynamic"] = Field(
        description="`fp16` and `bf16` store the weights of a torch model in 16 bits; `dynamic` turns linear layers (in an "
        "ONNX model the embeddings too) into int8, with activation ranges taken from each input."
    )
    per_channel: bool = Field(
        True, description="`dynamic`: one scale for each output of a matrix instead of one for all."
    )
