"""Static int8 of an ONNX model: int8 weights, and uint8 activations whose ranges calibration has fixed.

Written as QuantizeLinear and DequantizeLinear around the products with constant matrices, which ONNX Runtime fuses into
int8 products when it loads the model. Only what goes into a product is rounded: the residual stream, the products between
activations in attention (scores and context) and everything between stay in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, NodeProto, helper

from constrictor.compression.quantization.onnx_calibration import calibrate
from constrictor.compression.quantization.onnx_graph import (
    Weight,
    add_constants,
    float_matrices,
    float_tables,
    replace_nodes,
    split_gemms,
)
from constrictor.compression.quantization.onnx_method import HEAD, Rewritten, refused_tables
from constrictor.machine import has_int8_dot_product
from constrictor.models.quantized.rounding import affine_parameters, round_symmetric

if TYPE_CHECKING:
    from constrictor.compression.quantization.context import QuantizationContext


def static(model: ModelProto, context: QuantizationContext) -> Rewritten:
    """Round matrices, what is multiplied with them, and embedding tables to 8 bits."""
    settings = context.settings
    split_gemms(model)
    # The head is small, and every prediction depends on it.
    *matrices, head = float_matrices(model)
    ranges = calibrate(model, sorted({matrix.node.input[0] for matrix in matrices}), context)
    # Without VNNI, two int8 products can overflow the 16 bits that they are added up in; 7 bits cannot.
    largest = 127 if has_int8_dot_product() else 63
    new: dict[str, list[NodeProto]] = {}
    for matrix in matrices:
        nodes = product(model, matrix, ranges[matrix.node.input[0]], settings.per_channel, largest)
        new[matrix.node.output[0]] = nodes
    reasons = {head.name: HEAD}
    if settings.embeddings:
        new |= {table.node.output[0]: lookup(model, table) for table in float_tables(model)}
    else:
        reasons |= refused_tables(model)
    replace_nodes(model, without_repeats(new))
    details = {
        "reduced_range": largest == 63,
        "calibration_examples": settings.calibration_size,
        "ranges": {name: [round(low, 6), round(high, 6)] for name, (low, high) in ranges.items()},
    }
    return Rewritten(model, "int8", reasons, details)


def product(
    model: ModelProto, matrix: Weight, span: tuple[float, float], per_channel: bool, largest: int
) -> list[NodeProto]:
    """A MatMul between int8 numbers; the constants are added to the model."""
    activation, (output,) = matrix.node.input[0], matrix.node.output
    values, scales = round_symmetric(np, matrix.values, 0 if per_channel else None, largest)
    scales = scales.reshape(-1 if per_channel else ())
    scale, zero = affine_parameters(np, *span, levels=255)
    activation_parts = add_constants(
        model, {f"{activation}_scale": np.array(scale, np.float32), f"{activation}_zero": np.array(zero, np.uint8)}
    )
    weight_parts = add_constants(
        model,
        {
            f"{matrix.name}_int8": values,
            f"{matrix.name}_scale": scales,
            f"{matrix.name}_zero": np.zeros(scales.shape, np.int8),
        },
    )
    rounded, restored, weight = f"{activation}_uint8", f"{activation}_restored", f"{matrix.name}_restored"
    return [
        helper.make_node("QuantizeLinear", [activation, *activation_parts], [rounded]),
        helper.make_node("DequantizeLinear", [rounded, *activation_parts], [restored]),
        helper.make_node("DequantizeLinear", weight_parts, [weight], axis=1),
        helper.make_node("MatMul", [restored, weight], [output], matrix.node.name),
    ]


def lookup(model: ModelProto, table: Weight) -> list[NodeProto]:
    """A Gather from an int8 table with one scale; the constants are added to the model."""
    values, scale = round_symmetric(np, table.values, axis=None, largest=127)
    rounded, scale_name = add_constants(model, {f"{table.name}_int8": values, f"{table.name}_scale": scale.reshape(())})
    rows = f"{table.node.output[0]}_int8"
    return [
        helper.make_node("Gather", [rounded, table.node.input[1]], [rows], table.node.name),
        helper.make_node("DequantizeLinear", [rows, scale_name], table.node.output),
    ]


def without_repeats(new: dict[str, list[NodeProto]]) -> Callable[[NodeProto], list[NodeProto]]:
    """A replacement of nodes by their output's name, in which several products share what comes before them."""
    made = set[str]()

    def replace(node: NodeProto) -> list[NodeProto]:
        nodes = [part for part in new.get(node.output[0], [node]) if part.output[0] not in made]
        made.update(part.output[0] for part in nodes)
        return nodes

    return replace
