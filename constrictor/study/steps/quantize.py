"""Settings of the stage `quantize`: one model a method."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from constrictor.study.steps.recovery import Calibration, Recovery
from constrictor.study.steps.step import Step


class Quantize(Step):
    """What every method has."""

    stage: Literal["quantize"] = Field(description="The stage.")
    method: str


class Half(Quantize):
    """Store weights in 16 bits."""

    method: Literal["fp16", "bf16"] = Field(
        description="`fp16` also works on an ONNX model, `bf16` on torch models only."
    )


class Dynamic(Quantize):
    """Int8 weights, with the ranges of activations taken from each input."""

    method: Literal["dynamic"] = Field(description="The method.")
    per_channel: bool = Field(True, description="One scale for each output of a matrix instead of one for all.")
    embeddings: bool = Field(True, description="Store the embedding tables in int8 too.")


class Static(Calibration, Quantize):
    """Int8 weights and activations whose ranges are fixed beforehand on calibration examples."""

    method: Literal["static"] = Field(description="The method.")
    per_channel: bool = Field(True, description="One scale for each output of a matrix instead of one for all.")
    embeddings: bool = Field(True, description="Store the embedding tables in int8 too.")
    ranges: Literal["minmax", "entropy", "percentile"] = Field(
        "minmax", description="How the range of an activation is chosen from what was seen."
    )


class WeightOnly(Quantize):
    """Weights of an ONNX model in blocks of 4 or 8 bits; activations stay in float32 between the products."""

    method: Literal["weight_only"] = Field(description="The method.")
    bits: Literal[4, 8] = Field(4, description="Bits a weight.")
    block: Literal[16, 32, 64, 128] = Field(32, description="Neighbouring weights that share a scale.")
    matrices: bool = Field(True, description="Quantize the matrices.")
    embeddings: bool = Field(True, description="Quantize the embedding tables.")

    @model_validator(mode="after")
    def _something(self) -> WeightOnly:
        if not self.matrices and not self.embeddings:
            raise ValueError("'matrices: false' and 'embeddings: false' leave nothing to quantize: drop one of them")
        return self


class BitsAndBytes(Quantize):
    """Formats of bitsandbytes, for GPUs and, where its kernels allow, for CPUs."""

    uses_gpu: ClassVar[bool] = True

    method: Literal["llm_int8", "nf4", "fp4"] = Field(
        description="`llm_int8` (Dettmers et al., 2022), `nf4` and `fp4` (QLoRA; Dettmers et al., 2023)."
    )
    double_quantization: bool = Field(True, description="4 bits: quantize the scales as well.")


class QuantizationAware(Recovery, Quantize):
    """Fine-tune with int8 rounding in the forward pass, so that a later int8 step loses less (Jacob et al., 2018).

    The result is a float32 model whose weights lie on the int8 grid: go on with `export` and `dynamic`. By default the
    unquantized parent teaches.
    """

    method: Literal["qat"] = Field(description="The method.")
    finetune_epochs: int = Field(1, ge=1, description="Epochs of quantization-aware training over `train_on`.")


AnyQuantize = Annotated[
    Half | Dynamic | Static | WeightOnly | BitsAndBytes | QuantizationAware,
    Field(discriminator="method"),
]
