"""What the methods that rewrite ONNX models share: find weights, replace nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper


class Weight(NamedTuple):
    """A weight that an operator reads.

    Attributes:
        node: the operator.
        name: the weight's name.
        values: its numbers, ``(inputs, outputs)`` of a matrix and ``(rows, width)`` of an embedding table.
    """

    node: NodeProto
    name: str
    values: np.ndarray


def float_matrices(model: ModelProto) -> list[Weight]:
    """The constant float32 matrices that a MatMul multiplies with from the right."""
    return list(_float_weights(model, "MatMul", 1))


def float_tables(model: ModelProto) -> list[Weight]:
    """The constant float32 tables that a Gather takes rows from."""
    tables = _float_weights(model, "Gather", 0)
    return [table for table in tables if all(part.name != "axis" or part.i == 0 for part in table.node.attribute)]


def sliced_tables(model: ModelProto) -> list[Weight]:
    """The constant float32 tables whose first rows are taken: positions, where they are the same for every text."""
    return list(_float_weights(model, "Slice", 0))


def _float_weights(model: ModelProto, operator: str, position: int) -> Iterator[Weight]:
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        tensor = constants.get(node.input[position]) if node.op_type == operator else None
        if tensor is not None and tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2:
            yield Weight(node, tensor.name, numpy_helper.to_array(tensor))


def split_gemms(model: ModelProto) -> None:
    """Write every Gemm with constants as a MatMul and a bias, in place, so that there is one kind of product.

    The bias is subtracted with its sign turned: the runtime would join a MatMul and an Add to a Gemm again when it loads
    the model, and then no longer find the int8 product.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}

    def split(node: NodeProto) -> list[NodeProto]:
        settings = {part.name: helper.get_attribute_value(part) for part in node.attribute}
        plain = settings.get("alpha", 1) == settings.get("beta", 1) == 1 and not settings.get("transA", 0)
        if node.op_type != "Gemm" or not plain or not constants.keys() >= set(node.input[1:]):
            return [node]
        matrix, weight = node.input[1], f"{node.input[1]}_in_out"
        if settings.get("transB", 0):
            add_constants(model, {weight: np.ascontiguousarray(constants[matrix].T)})
        else:
            weight = matrix
        if len(node.input) < 3:
            return [helper.make_node("MatMul", [node.input[0], weight], node.output, node.name)]
        product, bias = f"{node.output[0]}_product", f"{node.input[2]}_negative"
        add_constants(model, {bias: -constants[node.input[2]]})
        return [
            helper.make_node("MatMul", [node.input[0], weight], [product], node.name),
            helper.make_node("Sub", [product, bias], node.output, f"{node.name}_bias"),
        ]

    replace_nodes(model, split)


def add_constants(model: ModelProto, arrays: dict[str, np.ndarray]) -> list[str]:
    """Add initializers to a model, in place, unless it has them already; returns their names."""
    known = {tensor.name for tensor in model.graph.initializer}
    model.graph.initializer.extend(
        numpy_helper.from_array(values, name) for name, values in arrays.items() if name not in known
    )
    return list(arrays)


def replace_nodes(model: ModelProto, replacement: Callable[[NodeProto], list[NodeProto]]) -> None:
    """Replace every node, in place, by what a function gives for it, and drop the weights that nobody reads any more."""
    nodes = [new for node in model.graph.node for new in replacement(node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input} | {output.name for output in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def use_contrib_operators(model: ModelProto) -> None:
    """Declare ONNX Runtime's own operators, in place."""
    if all(opset.domain != "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
