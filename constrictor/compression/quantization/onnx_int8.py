"""Dynamic int8 of an ONNX model with ONNX Runtime: int8 weights, and ranges of activations taken from each input."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import onnx
from onnx import ModelProto, TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic

from constrictor.compression.quantization.onnx_graph import float_tables
from constrictor.compression.quantization.onnx_method import Rewritten
from constrictor.machine import has_int8_dot_product

if TYPE_CHECKING:
    from constrictor.compression.quantization.quantize import Work


def dynamic(model: ModelProto, work: Work) -> Rewritten:
    reasons = {}
    operators = ["MatMul", "Gemm"]
    if work.settings.embeddings:
        operators.append("Gather")
    else:
        reasons = {table.name: "the step says 'embeddings: false'" for table in float_tables(model)}
    # Without VNNI, two int8 products can overflow the 16 bits that they are added up in; 7 bits cannot.
    reduce_range = not has_int8_dot_product()
    logging.getLogger("root").setLevel(logging.WARNING)
    with TemporaryDirectory(dir=work.staging.parent) as folder:
        file = Path(folder) / "model.onnx"
        quantize_dynamic(
            model,
            file,
            op_types_to_quantize=operators,
            per_channel=work.settings.per_channel,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
            # ONNX knows no types behind ONNX Runtime's own operators, such as a 4-bit embedding table.
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )
        quantized = onnx.load(file)
    return Rewritten(quantized, "int8", reasons, {"reduced_range": reduce_range})
