"""Settings of the stage `quantize`: one class per method."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from constrictor.machine import NO_BF16_PRODUCTS, NO_INT8_DOT_PRODUCT, Machine
from constrictor.study.model_state import LayerCount, ModelState, no_parent
from constrictor.study.steps.recovery import Calibration, Recovery
from constrictor.study.steps.step import Step


class Quantize(Step):
    """Quantization."""

    stage: Literal["quantize"] = Field(description="The stage.")
    method: str

    @property
    def accepts(self) -> tuple[str, ...]:
        """Formats of models that the method can quantize."""
        raise NotImplementedError

    def accepts_precision(self, precision: str) -> bool:
        """Whether the method can quantize a model in this precision."""
        return precision == "fp32"

    @property
    def precision_after(self) -> str:
        """Precision of the quantized model."""
        return self.method

    def format_after(self, format: str) -> str:
        """Format of the quantized model.

        Args:
            format: the format of the parent.
        """
        return format

    def after(self, name: str, parent: ModelState | None, layers_of: LayerCount) -> ModelState | str:
        """The parent in another precision."""
        if parent is None:
            return no_parent(name, "quantizes")
        if not self.accepts_precision(parent.precision):
            return f"'{name}' quantizes a model that is {parent.precision} already. Keep one of the two steps."
        if parent.format not in self.accepts:
            fix = {"torch": "Put 'export' before it.", "onnx": "Put it before the export."}.get(parent.format, "")
            return f"'{name}': the method '{self.method}' does not support the format {parent.format}. {fix}".rstrip()
        return parent._replace(format=self.format_after(parent.format), precision=self.precision_after)


class Half(Quantize):
    """Store weights in 16 bits."""

    method: Literal["fp16", "bf16"] = Field(
        description="`fp16` accepts torch and ONNX models, `bf16` torch models only."
    )

    @property
    def accepts(self) -> tuple[str, ...]:
        """Formats of models that the method can quantize."""
        return ("torch", "onnx") if self.method == "fp16" else ("torch",)

    def slow_on(self, machine: Machine, format: str) -> str | None:
        """Processors without 16-bit arithmetic compute in float32 after a conversion.

        Measured with MiniLM on two Zen 5 cores, against float32 in torch.
        """
        if machine.gpu or format != "torch":
            return None
        if self.method == "fp16":
            return "processors have no fast fp16 products: 2 to 4 times slower than float32"
        return None if machine.bf16_products else NO_BF16_PRODUCTS


class _Int8(Quantize):
    """Int8 weights and activations."""

    topic: ClassVar[str] = "int8"
    per_channel: bool = Field(True, description="One scale per output channel of a matrix instead of one per matrix.")
    embeddings: bool = Field(True, description="Quantize the embedding tables as well.")

    @property
    def accepts(self) -> tuple[str, ...]:
        """Formats of models that the method can quantize."""
        return ("torch", "onnx")

    def accepts_precision(self, precision: str) -> bool:
        """Float32, also with quantized embedding tables: the matrices are still to be quantized."""
        return precision == "fp32" or precision.endswith(" embeddings")

    @property
    def precision_after(self) -> str:
        """Precision of the quantized model."""
        return "int8"

    def format_after(self, format: str) -> str:
        """Torch models become modules of their own."""
        return "torch-int8" if format == "torch" else format

    def slow_on(self, machine: Machine, format: str) -> str | None:
        """Int8 is fast with an int8 dot product only."""
        return None if machine.int8_dot_product else NO_INT8_DOT_PRODUCT


class Dynamic(_Int8):
    """Dynamic quantization: int8 weights; the ranges of activations are computed for each input."""

    method: Literal["dynamic"] = Field(description="The method.")


class Static(Calibration, _Int8):
    """Static quantization: int8 weights and activations, with activation ranges from calibration examples."""

    method: Literal["static"] = Field(description="The method.")
    ranges: Literal["minmax", "entropy", "percentile"] = Field(
        "minmax", description="Calibration method: how the range of an activation follows from the observed values."
    )


class WeightOnly(Quantize):
    """Weight-only quantization of an ONNX model, in blocks of 4 or 8 bits; activations stay in float32."""

    method: Literal["weight_only"] = Field(description="The method.")
    bits: Literal[4, 8] = Field(4, description="Bits per weight.")
    block: Literal[16, 32, 64, 128] = Field(32, description="Block size: number of consecutive weights per scale.")
    matrices: bool = Field(True, description="Quantize the matrices.")
    embeddings: bool = Field(True, description="Quantize the embedding tables.")

    @model_validator(mode="after")
    def _need_something(self) -> WeightOnly:
        if not self.matrices and not self.embeddings:
            raise ValueError(
                "'matrices: false' and 'embeddings: false' leave nothing to quantize: remove one of the two"
            )
        return self

    @property
    def accepts(self) -> tuple[str, ...]:
        """Formats of models that the method can quantize."""
        return ("onnx",)

    @property
    def precision_after(self) -> str:
        """Precision of the quantized model."""
        return f"int{self.bits}" if self.matrices else f"int{self.bits} embeddings"

    def slow_on(self, machine: Machine, format: str) -> str | None:
        """8-bit matrix products are fast with an int8 dot product only."""
        needed = self.precision_after == "int8"
        return NO_INT8_DOT_PRODUCT if needed and not machine.int8_dot_product else None


class BitsAndBytes(Quantize):
    """Quantization with bitsandbytes, for GPUs and, if it has a kernel, for CPUs."""

    uses_gpu: ClassVar[bool] = True

    method: Literal["llm_int8", "nf4", "fp4"] = Field(
        description="`llm_int8` (Dettmers et al., 2022), `nf4` or `fp4` (QLoRA; Dettmers et al., 2023)."
    )
    double_quantization: bool = Field(True, description="`nf4` and `fp4`: quantize the scales as well.")

    @property
    def accepts(self) -> tuple[str, ...]:
        """Formats of models that the method can quantize."""
        return ("torch",)

    def format_after(self, format: str) -> str:
        """A format of its own."""
        return "bitsandbytes"

    def slow_on(self, machine: Machine, format: str) -> str | None:
        """Measured with MiniLM on two Zen 5 cores, against float32 in torch."""
        if machine.gpu:
            return None
        if self.method == "llm_int8":
            return "llm_int8 is made for GPUs: on a CPU it is about as fast as float32"
        return None if machine.bf16_products else "4 bits on a CPU without bf16 products: slower than float32"


class QuantizationAware(Recovery, Quantize):
    """Quantization-aware training: fine-tune with int8 rounding in the forward pass (Jacob et al., 2018).

    The result is a float32 model whose weights lie on the int8 grid, so that a following `export` and `dynamic` step loses
    less. By default the parent is the teacher.
    """

    default_teacher: ClassVar[Literal["distillation", "parent"]] = "parent"

    method: Literal["qat"] = Field(description="The method.")
    finetune_epochs: int = Field(1, ge=1, description="Epochs of quantization-aware training over `train_on`.")
    teacher: str | None = Field(
        None,
        description="Teacher of the training: the name of an earlier step of the recipe. Default: the parent.",
    )

    @property
    def accepts(self) -> tuple[str, ...]:
        """Formats of models that the method can quantize."""
        return ("torch",)

    @property
    def precision_after(self) -> str:
        """Precision of the trained model."""
        return "fp32"


AnyQuantize = Annotated[
    Half | Dynamic | Static | WeightOnly | BitsAndBytes | QuantizationAware,
    Field(discriminator="method"),
]
