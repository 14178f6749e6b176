"""An ONNX model in fp16 whose inputs and outputs stay as they were."""
from __future__ import annotations
from typing import TYPE_CHECKING
from onnx import ModelProto
from onnxruntime.transformers.float16 import convert_float_to_float16
from constrictor.compression.quantization.onnx_method import Rewritten
if TYPE_CHECKING:
    from constrictor.compression.quantization.quantize import Work
def half(model: ModelProto, work: Work) -> Rewritten:
    return Rewritten(convert_float_to_float16(model, keep_io_types=True), "fp16")
