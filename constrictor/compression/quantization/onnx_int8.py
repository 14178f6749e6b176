"""Dynamic int8 of an ONNX model with ONNX Runtime: matrices and embedding tables."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from constrictor.machine import has_int8_dot_product


def quantize_onnx(source: Path, target: Path, per_channel: bool) -> dict[str, float]:
    """Write an int8 version of an ONNX file.

    Args:
        source: the float32 model.
        target: where to write.
        per_channel: one scale an output column instead of one a matrix.

    Returns:
        Share of the stored numbers that are int8, and whether weights have 7 bits.
    """
    model = onnx.load(source)
    # The exporter's notes on inner shapes contradict the quantizer's own and would stop it.
    del model.graph.value_info[:]
    # Without VNNI, two int8 products can overflow the 16 bits that they are added up in; 7 bits cannot.
    reduce_range = not has_int8_dot_product()
    logging.getLogger("root").setLevel(logging.WARNING)
    quantize_dynamic(model, target, per_channel=per_channel, reduce_range=reduce_range, weight_type=QuantType.QInt8)
    sizes = Counter[int]()
    for tensor in onnx.load(target).graph.initializer:
        count = 1
        for dimension in tensor.dims:
            count *= dimension
        sizes[tensor.data_type] += count
    int8 = sizes[onnx.TensorProto.INT8] + sizes[onnx.TensorProto.UINT8]
    return {"int8_share": round(int8 / sum(sizes.values()), 6), "reduced_range": reduce_range}
