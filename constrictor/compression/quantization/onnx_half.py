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

# A good conversion moves an output by some thousandths of their spread; a number beyond the range of fp16 by much more.
TOLERANCE = 0.05


def half(model: ModelProto, context: QuantizationContext) -> Rewritten:
    """Store and compute in 16 bits wherever ONNX Runtime's converter supports it."""
    return Rewritten(convert_float_to_float16(model, keep_io_types=True), "fp16", tolerance=TOLERANCE)
