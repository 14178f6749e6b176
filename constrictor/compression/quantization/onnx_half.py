"""An ONNX model in fp16 whose inputs and outputs stay as they were.

Half the size; on a CPU no faster than float32 (x1.0 on the MiniLM teacher), since its kernels compute in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import ModelProto
from onnxruntime.transformers.float16 import convert_float_to_float16

from constrictor.compression.quantization.onnx_method import Rewritten

if TYPE_CHECKING:
    from constrictor.compression.quantization.context import QuantizationContext

# A good conversion moves a logit by hundredths at most; a number beyond the range of fp16 moves it by much more.
MAX_DIFFERENCE = 0.1


def half(model: ModelProto, context: QuantizationContext) -> Rewritten:
    """Store and compute in 16 bits wherever ONNX Runtime's converter supports it."""
    return Rewritten(convert_float_to_float16(model, keep_io_types=True), "fp16", max_difference=MAX_DIFFERENCE)
