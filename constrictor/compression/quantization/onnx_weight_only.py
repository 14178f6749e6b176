"""Weights of an ONNX model in blocks of 4 or 8 bits, computed with ONNX Runtime's MatMulNBits and GatherBlockQuantized."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, NodeProto, helper

from constrictor.compression.quantization.blocks import pack, round_blocks
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
        reasons = {matrix.name: "the step says 'matrices: false'" for matrix in matrices}
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


def matmul_blocks(model: ModelProto, matrix: Weight, bits: int, block: int) -> NodeProto:
    """A MatMul whose matrix is rounded along its inputs; the constants are added to the model."""
    inputs, outputs = matrix.values.shape
    rounded = round_blocks(matrix.values.T, bits, block)
    names = add_constants(
        model,
        {
            f"{matrix.name}_int{bits}": pack(rounded.values, bits),
            f"{matrix.name}_scales": rounded.scales,
            f"{matrix.name}_zeros": pack(rounded.zeros, bits),
        },
    )
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
    values, scales, zeros = add_constants(
        model,
        {
            # The kernel wants rows of their own width: a last block that is not full is cut.
            f"{table.name}_int{bits}": pack(rounded.values.reshape(rows, -1)[:, :width], bits),
            f"{table.name}_scales": rounded.scales,
            f"{table.name}_zeros": pack(rounded.zeros, bits),
        },
    )
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


def slice_rows(model: ModelProto, table: Weight) -> list[NodeProto]:
    """A Slice of a table whose rows are rounded to int8, each with a scale; the constants are added to the model.

    The runtime restores the whole table when it loads the file, so that this costs no time afterwards. Four bits would
    save some tens of kilobytes more, and every token reads this table.
    """
    scales = np.abs(table.values).max(axis=1) / 127
    scales[scales == 0] = 1
    values = np.round(table.values / scales[:, None]).astype(np.int8)
    constants = add_constants(model, {f"{table.name}_int8": values, f"{table.name}_scales": scales})
    restored = f"{table.name}_restored"
    sliced = NodeProto()
    sliced.CopyFrom(table.node)
    sliced.input[0] = restored
    return [helper.make_node("DequantizeLinear", constants, [restored], axis=0), sliced]
