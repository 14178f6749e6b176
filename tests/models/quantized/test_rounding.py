import numpy as np
import onnx
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from constrictor.models.quantized.rounding import affine_parameters, round_symmetric

LIBRARIES = [np, torch]


def _as_array(library, values: np.ndarray):
    return values if library is np else torch.from_numpy(values)


@pytest.mark.parametrize("library", LIBRARIES)
@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([1e-6, 0.05, 1.0, 300.0]),
    axis=st.sampled_from([None, 0, 1]),
    largest=st.sampled_from([63, 127]),
)
def test_symmetric_numbers_are_those_of_a_plain_loop(library, seed, size, axis, largest):
    x = (size * np.random.default_rng(seed).normal(size=(4, 6))).astype(np.float32)
    found, scales = (np.asarray(part) for part in round_symmetric(library, _as_array(library, x), axis, largest))
    assert (found.dtype, scales.dtype) == (np.int8, np.float32)
    assert scales.shape == {None: (1, 1), 0: (1, 6), 1: (4, 1)}[axis]
    for (row, column), value in np.ndenumerate(x):
        group = {None: x.ravel(), 0: x[:, column], 1: x[row]}[axis]
        step = np.float32(max(abs(number) for number in group)) / np.float32(largest)
        assert np.broadcast_to(scales, x.shape)[row, column] == step
        assert found[row, column] == round(float(value / step))  # half to even, as torch and ONNX round


@pytest.mark.parametrize("library", LIBRARIES)
def test_symmetric_numbers_by_hand(library):
    x = _as_array(library, np.array([[1.0, -0.5], [100.0, 50.0]], np.float32))
    values, scales = round_symmetric(library, x, axis=1, largest=127)
    assert values.tolist() == [[127, -64], [127, 64]]  # 63.5 is half-way: the even neighbour
    assert scales.ravel().tolist() == pytest.approx([1 / 127, 100 / 127])
    values, scales = round_symmetric(library, x, axis=None, largest=127)
    assert values.tolist() == [[1, -1], [127, 64]]
    assert scales.ravel().tolist() == pytest.approx([100 / 127])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("tiny", [0.0, 1e-40, -1e-38])  # the last two divided by 127 are no normal numbers in float32
def test_what_is_as_good_as_zero_becomes_zero(library, tiny):
    x = _as_array(library, np.array([[tiny, 0], [0, 2]], np.float32))
    values, scales = round_symmetric(library, x, axis=1, largest=127)
    assert values.tolist() == [[0, 0], [0, 127]]
    assert scales.ravel().tolist() == pytest.approx([1, 2 / 127])
    scale, zero_point = affine_parameters(library, abs(x[0, 0]), abs(x[0, 0]), 255)
    assert (float(scale), int(zero_point)) == (1, 0)


def _by_onnx(x: np.ndarray) -> tuple[float, int]:
    """Scale and zero point of ONNX's DynamicQuantizeLinear, computed by its reference implementation."""
    outputs = [("q", TensorProto.UINT8, [None]), ("scale", TensorProto.FLOAT, []), ("zero", TensorProto.UINT8, [])]
    graph = helper.make_graph(
        [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info(*output) for output in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(model)
    _, scale, zero = ReferenceEvaluator(model).run(None, {"x": x})
    return float(scale), int(zero)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 4.1), (-3.0, 0.0), (0.0, 5.0), (2.0, 6.0), (-6.0, -2.0), (-0.1, 90.0)]
)
def test_scale_and_zero_point_are_those_of_onnx(library, low, high):
    ends = np.array([low, high], np.float32)
    scale, zero_point = affine_parameters(library, *_as_array(library, ends), 255)
    expected_scale, expected_zero = _by_onnx(ends)
    assert float(scale) == pytest.approx(expected_scale, rel=1e-6)
    assert int(zero_point) == expected_zero


@pytest.mark.parametrize("library", LIBRARIES)
@given(low=st.floats(-100, 100), span=st.floats(0, 100), levels=st.sampled_from([127, 255]))
def test_both_ends_and_zero_are_representable(library, low, span, levels):
    high = low + span
    assume(max(high, 0) - min(low, 0) > 1e-30)
    ends = (low, high) if library is np else torch.tensor([low, high], dtype=torch.float64)
    scale, zero_point = (float(part) for part in affine_parameters(library, *ends, levels))
    assert zero_point in range(levels + 1)
    assert scale == pytest.approx((max(high, 0) - min(low, 0)) / levels)
    assert abs(scale * (0 - zero_point) - min(low, 0)) <= scale / 2 + 1e-9
    assert abs(scale * (levels - zero_point) - max(high, 0)) <= scale / 2 + 1e-9
