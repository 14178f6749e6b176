"""Settings of the stage `export`: write the model in a runtime's own format."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from constrictor.study.steps.step import Step


class Export(Step):
    """ONNX with dynamic batch and length, compared with the torch model on real text before it is accepted."""

    stage: Literal["export"] = Field(description="The stage.")
    format: Literal["onnx"] = Field("onnx", description="The format.")
    opset: int = Field(20, ge=18, le=23, description="Version of the ONNX operator set.")
    max_difference: float = Field(
        1e-3, gt=0, description="Largest allowed difference of a logit from the torch model's; above it the step fails."
    )
