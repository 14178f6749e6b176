import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from constrictor.compression.quantization.onnx_graph import (
    add_constants,
    float_tables,
    split_gemms,
    use_contrib_operators,
)

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)
BIAS = np.array([5, -6, 7], np.float32)


def _model(node: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    """A model of one node, from ``x`` to ``y``."""
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, None)] for name in "xy"]
    tensors = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(helper.make_graph([node], "one", *ends, tensors), opset_imports=opsets, ir_version=10)


def _run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString()).run(["y"], {"x": x})[0]


@pytest.mark.parametrize("settings", [{}, {"transB": 1}, {"alpha": 1.0, "beta": 1.0}])
@pytest.mark.parametrize("bias", [True, False])
def test_a_gemm_becomes_a_product_that_computes_the_same(settings, bias):
    constants = {"w": MATRIX.T.copy() if settings.get("transB") else MATRIX} | ({"b": BIAS} if bias else {})
    model = _model(helper.make_node("Gemm", ["x", *constants], ["y"], **settings), **constants)
    x = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    before = _run(model, x)
    split_gemms(model)
    assert [node.op_type for node in model.graph.node] == (["MatMul", "Sub"] if bias else ["MatMul"])
    np.testing.assert_allclose(_run(model, x), before, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "constants"),
    [
        ({"alpha": 2.0}, {"w": MATRIX, "b": BIAS}),
        ({"beta": 2.0}, {"w": MATRIX, "b": BIAS}),
        ({"alpha": 2.0, "beta": 2.0}, {"w": MATRIX, "b": BIAS}),
        ({"transA": 1}, {"w": MATRIX, "b": BIAS}),
        ({"alpha": 2.0, "transA": 1}, {"w": MATRIX, "b": BIAS}),
        ({}, {"b": BIAS}),
        ({}, {"w": MATRIX}),
    ],
)
def test_a_gemm_that_scales_turns_its_input_or_has_no_constants_stays(settings, constants):
    model = _model(helper.make_node("Gemm", ["x", "w", "b"], ["y"], **settings), **constants)
    split_gemms(model)
    assert [node.op_type for node in model.graph.node] == ["Gemm"]


@pytest.mark.parametrize(("settings", "found"), [({}, ["w"]), ({"axis": 0}, ["w"]), ({"axis": 1}, [])])
def test_a_table_is_what_rows_are_taken_from(settings, found):
    model = _model(helper.make_node("Gather", ["w", "x"], ["y"], **settings), w=MATRIX)
    assert [table.name for table in float_tables(model)] == found


def test_a_constant_is_added_once():
    model = _model(helper.make_node("MatMul", ["x", "w"], ["y"]), w=MATRIX)
    assert add_constants(model, {"w": MATRIX, "b": BIAS}) == ["w", "b"]
    assert [tensor.name for tensor in model.graph.initializer] == ["w", "b"]


def test_the_operators_of_the_runtime_are_declared_once():
    model = _model(helper.make_node("MatMul", ["x", "w"], ["y"]), w=MATRIX)
    for _ in range(2):
        use_contrib_operators(model)
        assert [opset.domain for opset in model.opset_import] == ["", "com.microsoft"]
