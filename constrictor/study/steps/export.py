"""Settings of the stage `export`: write a model in the format of a runtime."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from constrictor.machine import NO_BF16_PRODUCTS, Machine
from constrictor.study.model_state import LayerCount, ModelState, no_parent, not_float32
from constrictor.study.steps.step import Step


class Export(Step):
    """Export a model to the format of a runtime. Its outputs are compared with the parent's on validation examples.

    `onnx` requires a torch model; `ort` (for mobile runtimes) and `openvino` require an ONNX model.
    """

    stage: Literal["export"] = Field(description="The stage.")
    format: Literal["onnx", "ort", "openvino"] = Field("onnx", description="The format.")
    opset: int = Field(20, ge=18, le=23, description="`onnx`: version of the operator set.")
    optimize: bool = Field(
        False,
        description="`onnx`: apply exact rewrites to the encoder (last layer for the first token only, fused projections, "
        "scales and token types merged into weights, truncated positions); a rewrite is kept only if it is measured to be "
        "faster. For BERT, RoBERTa, XLM-R, ELECTRA and DistilBERT; other models are exported unchanged.",
    )
    optimize_for: Literal["fp32", "int8"] = Field(
        "fp32", description="`onnx`: precision in which rewrites are timed. Use the final precision of the recipe."
    )
    shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=8)]] | None = Field(
        None,
        description="`onnx`: fixed batch size and sequence length in tokens; longer inputs are truncated. Default: dynamic axes.",
        examples=[[1, 128]],
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="`openvino`: precision of matrix products. bf16 falls back to fp32 on processors without it; the manifest "
        "records which was used.",
    )
    tolerance: float = Field(
        1e-3,
        gt=0,
        description="Largest difference of an output from the parent's, as a share of the outputs' spread (their standard "
        "deviation, and a hundredth of the largest output); a larger one fails the step. For bf16, the mean difference may be "
        "up to 5 % of the standard deviation instead.",
    )

    @model_validator(mode="after")
    def _refuse_keys_of_another_format(self) -> Export:
        if self.format != "onnx" and (self.optimize or self.shape):
            raise ValueError(f"'optimize' and 'shape' apply to the format onnx only, and the format is {self.format}")
        if self.format != "openvino" and self.precision != "fp32":
            raise ValueError(f"'precision' applies to the format openvino only, and the format is {self.format}")
        return self

    def after(self, name: str, parent: ModelState | None, layers_of: LayerCount) -> ModelState | str:
        """The parent in another format."""
        if parent is None:
            return no_parent(name, "exports")
        if self.format == "onnx":
            return parent._replace(format="onnx") if parent.is_float32 else not_float32(name, "exports", parent)
        if parent.format != "onnx":
            return f"'{name}' exports to {self.format}, which requires an ONNX model. Put an export to ONNX before it."
        if self.format == "ort":
            return parent._replace(format="ort")
        if parent.precision != "fp32":
            return f"'{name}' exports to openvino, which runs {parent.precision} ONNX models slowly. Export the float32 one."
        return parent._replace(format="openvino", precision=self.precision)

    def slow_on(self, machine: Machine, format: str) -> str | None:
        """Bf16 needs a processor with bf16 products."""
        return NO_BF16_PRODUCTS if self.precision == "bf16" and not machine.bf16_products else None
