"""Weights of an ONNX model in blocks of 4 or 8 bits, computed with ONNX Runtime's MatMulNBits and GatherBlockQuantized.

Neighbours share a scale and a zero point, so that 4 bits suffice (Dettmers and Zettlemoyer, 2023). ONNX Runtime's own
quantizer rounds the blocks. The operators are written here, since that quantizer stores a matrix once for each product that
reads it (ALBERT's layers share theirs) and supports embedding tables in 4 bits only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, helper
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, DefaultWeightOnlyQuantizer

from constrictor.compression.quantization.onnx_graph import (
    Weight,
    add_constants,
    float_matrices,
    float_tables,
    replace_nodes,
    sliced_tables,
    split_gemms,
    use_contrib_operators,
)
from constrictor.compression.quantization.onnx_method import HEAD, Rewritten, refused_tables
from constrictor.models.quantized.rounding import round_symmetric

if TYPE_CHECKING:
    from constrictor.compression.quantization.context import QuantizationContext

# Inside the product, the runtime may round activations to int8, block by block. Against float32 activations that is on the
# MiniLM teacher, one core: 8 bits x0.45 -> x1.62 (1 x 32 tokens), x0.92 -> x1.20 (32 x 128) the speed of float32; 4 bits
# x1.11 -> x1.53, x1.34 -> x1.15; agreement with float32 .994 -> .993 and .973 -> .971.
INT8_PRODUCTS = 4


def weight_only(model: ModelProto, context: QuantizationContext) -> Rewritten:
    """Round matrices and embedding tables block by block; activations stay in float32 between the products."""
    bits, block = context.settings.bits, context.settings.block
    split_gemms(model)
    use_contrib_operators(model)
    matrices, tables = float_matrices(model), float_tables(model)
    new: dict[str, list[NodeProto]] = {}
    reasons = {matrices[-1].name: HEAD}
    if context.settings.matrices:
        new |= {matrix.node.output[0]: [matmul_blocks(model, matrix, bits, block)] for matrix in matrices[:-1]}
    else:
        reasons = {matrix.name: "the step sets 'matrices: false'" for matrix in matrices}
    if context.settings.embeddings:
        for table in tables:
            if table.values.shape[1] * bits % 8:
                reasons[table.name] = "its rows do not fill whole bytes"
            else:
                new[table.node.output[0]] = [gather_blocks(model, table, bits, block)]
        new |= {table.node.output[0]: slice_rows(model, table) for table in sliced_tables(model)}
    else:
        reasons |= refused_tables(model)
    replace_nodes(model, lambda node: new.get(node.output[0], [node]))
    return Rewritten(model, f"int{bits}" if context.settings.matrices else f"int{bits} embeddings", reasons)


class Blocks(NamedTuple):
    """Rounded rows: ``w ~ scale * (q - zero)``, with ``q`` and ``zero`` in ``[0, 2^bits - 1]``.

    Attributes:
        values: ``(rows, blocks, block * bits / 8)`` uint8; of 4-bit numbers, a byte holds two, the first in its low half.
        scales: ``(rows, blocks)`` float32.
        zeros: ``(rows, blocks * bits / 8)`` uint8, rounded up.
    """

    values: np.ndarray
    scales: np.ndarray
    zeros: np.ndarray


def round_blocks(rows: np.ndarray, bits: int, block: int) -> Blocks:
    """Round each block of each row; a last block that is not full is filled up.

    The range of a block always holds zero, so that zero is exact.

    Args:
        rows: ``(rows, width)`` float32.
        bits: 4 or 8.
        block: neighbours in a row that share a scale.

    >>> values, scales, zeros = round_blocks(np.array([[-1.0, 0.0, 0.5, 2.0] * 4], np.float32), bits=8, block=16)
    >>> values[0, 0, :4].tolist(), round(float(scales[0, 0]), 4), zeros.tolist()
    ([0, 85, 128, 255], 0.0118, [[85]])
    """
    quantizer = DefaultWeightOnlyQuantizer(
        DefaultWeightOnlyQuantConfig(block_size=block, is_symmetric=False, bits=bits)
    )
    # The kernel reads (width, rows) as it lies in memory, whatever the strides are.
    return Blocks(*quantizer.qbits_block_quant(np.ascontiguousarray(rows.T)))


def matmul_blocks(model: ModelProto, matrix: Weight, bits: int, block: int) -> NodeProto:
    """A MatMul whose matrix is rounded along its inputs; the constants are added to the model."""
    inputs, outputs = matrix.values.shape
    names = _add_blocks(model, matrix.name, round_blocks(matrix.values.T, bits, block), bits)
    return helper.make_node(
        "MatMulNBits",
        [matrix.node.input[0], *names],
        matrix.node.output,
        matrix.node.name,
        domain="com.microsoft",
        K=inputs,
        N=outputs,
        bits=bits,
        block_size=block,
        accuracy_level=INT8_PRODUCTS,
    )


def gather_blocks(model: ModelProto, table: Weight, bits: int, block: int) -> NodeProto:
    """A Gather whose rows are rounded; the constants are added to the model."""
    rows, width = table.values.shape
    rounded = round_blocks(table.values, bits, block)
    # The kernel needs rows of their own width: a last block that is not full is truncated.
    truncated = rounded.values.reshape(rows, -1)[:, : width * bits // 8]
    values, scales, zeros = _add_blocks(model, table.name, rounded._replace(values=truncated), bits)
    return helper.make_node(
        "GatherBlockQuantized",
        [values, table.node.input[1], scales, zeros],
        table.node.output,
        table.node.name,
        domain="com.microsoft",
        gather_axis=0,
        quantize_axis=1,
        bits=bits,
        block_size=block,
    )


def _add_blocks(model: ModelProto, name: str, rounded: Blocks, bits: int) -> list[str]:
    """Add the parts of a rounded weight to a model; returns their names."""
    parts = {f"{name}_int{bits}": rounded.values, f"{name}_scales": rounded.scales, f"{name}_zeros": rounded.zeros}
    return add_constants(model, parts)


def slice_rows(model: ModelProto, table: Weight) -> list[NodeProto]:
    """A Slice of a table whose rows are rounded to int8, each with a scale; the constants are added to the model.

    The runtime restores the whole table when it loads the file, so that this costs no time afterwards. Four bits would
    save some tens of kilobytes more, and every token reads this table.
    """
    values, scales = round_symmetric(np, table.values, axis=1, largest=127)
    constants = add_constants(model, {f"{table.name}_int8": values, f"{table.name}_scales": scales.ravel()})
    restored = f"{table.name}_restored"
    sliced = NodeProto()
    sliced.CopyFrom(table.node)
    sliced.input[0] = restored
    return [helper.make_node("DequantizeLinear", constants, [restored], axis=0), sliced]
