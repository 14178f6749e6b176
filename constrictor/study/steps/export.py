"""Settings of the stage `export`: write the model in a runtime's own format."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from constrictor.study.steps.step import Step


class Export(Step):
    """Write a model in a runtime's format; it is compared with its parent on real text before it is accepted.

    `onnx` takes a torch model; `ort` (for mobile runtimes) and `openvino` take an ONNX model.
    """

    stage: Literal["export"] = Field(description="The stage.")
    format: Literal["onnx", "ort", "openvino"] = Field("onnx", description="The format.")
    opset: int = Field(20, ge=18, le=23, description="`onnx`: version of the operator set.")
    optimize: bool = Field(
        False,
        description="`onnx`: rewrite the encoder exactly (last layer for the first token only, merged projections, folded "
        "scales and token types, cropped positions); a rewrite stays only where it measures faster. BERT, RoBERTa, XLM-R, "
        "ELECTRA, DistilBERT; others are exported as they are.",
    )
    optimize_for: Literal["fp32", "int8"] = Field(
        "fp32", description="Precision in which the rewrites are timed: the one that the recipe ends in."
    )
    shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=8)]] | None = Field(
        None,
        description="`onnx`: a fixed batch size and length in tokens instead of free ones; longer texts are cut.",
        examples=[[1, 128]],
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="`openvino`: arithmetic of the matrix products; bf16 only where the processor has it, else fp32: "
        "the manifest says which.",
    )
    atol: float = Field(
        1e-3,
        gt=0,
        description="Largest allowed difference of a logit from the parent's; above it the step fails. For bf16 the logits may "
        "move by 5 % of their spread on average instead.",
    )

    @model_validator(mode="after")
    def _only_where_it_means_something(self) -> Export:
        if self.format != "onnx" and (self.optimize or self.shape):
            raise ValueError(f"'optimize' and 'shape' belong to the export to ONNX, and the format is {self.format}")
        if self.format != "openvino" and self.precision != "fp32":
            raise ValueError(f"'precision' belongs to the export to openvino, and the format is {self.format}")
        return self
