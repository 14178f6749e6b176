from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from heads import logits_of
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from constrictor.compression.quantization.onnx_graph import float_matrices, float_tables, split_gemms
from constrictor.compression.quantization.onnx_method import HEAD
from constrictor.compression.quantization.onnx_weight_only import round_blocks, weight_only
from constrictor.data.batching import predict_outputs
from constrictor.data.tokenization import Tokenizer
from constrictor.models.onnx_file import load_onnx, save_onnx
from constrictor.runtimes.load import load
from constrictor.runtimes.onnx import open_session, run_session
from constrictor.study.steps.quantize import WeightOnly


def _work(**settings):
    return SimpleNamespace(settings=WeightOnly(stage="quantize", method="weight_only", **settings))


def _restored(rows: np.ndarray, bits: int, block: int) -> np.ndarray:
    """Rows rounded by plain loops."""
    restored = np.zeros_like(rows)
    for number, row in enumerate(rows):
        for start in range(0, len(row), block):
            part = row[start : start + block]
            low, high = min(part.min(), 0), max(part.max(), 0)
            step = (high - low) / (2**bits - 1) or np.float32(1)
            zero = np.round(-low / step)
            restored[number, start : start + block] = step * (
                np.clip(np.round(part / step) + zero, 0, 2**bits - 1) - zero
            )
    return restored


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("block", [16, 32, 64])  # 48 inputs: full blocks, a last one half full, one not full
def test_what_the_runtime_computes_with_are_the_weights_rounded_by_hand(graph, outputs, arrays, bits, block):
    model = graph()
    before = arrays(model)
    after = weight_only(model, _work(bits=bits, block=block)).model
    ids = np.arange(50)[:, None]
    (rows,) = outputs(after, ["rows"], input_ids=ids, attention_mask=np.ones_like(ids))
    np.testing.assert_allclose(rows[:, 0], _restored(before["table"], bits, block), atol=2e-6)
    # Rows of the identity are exact in the runtime's int8 too, so they read the matrix.
    eye = np.eye(48, dtype=np.float32)
    for tensor in after.graph.initializer:
        if tensor.name == "table_scales":
            tensor.raw_data = np.zeros(tensor.dims, np.float32).tobytes()
    (product,) = _run_from(after, "masked", eye[:, None], "product")
    np.testing.assert_allclose(product[:, 0], _restored(before["matrix"].T, bits, block).T, atol=2e-6)


@given(
    seed=st.integers(0, 10_000),
    bits=st.sampled_from([4, 8]),
    block=st.sampled_from([16, 32, 64, 128]),
    width=st.integers(1, 300),
    shift=st.sampled_from([-3.0, 0.0, 3.0]),
)
def test_blocks_are_those_of_plain_loops(seed, bits, block, width, shift):
    rows = (np.random.default_rng(seed).normal(size=(5, width)) + shift).astype(np.float32)
    rows[2] = 0
    blocks = -(-width // block)
    values, scales, zeros = round_blocks(rows, bits, block)
    assert (values.shape, values.dtype) == ((5, blocks, block * bits // 8), np.uint8)
    assert (scales.shape, scales.dtype) == ((5, blocks), np.float32)
    assert (zeros.shape, zeros.dtype) == ((5, -(-blocks * bits // 8)), np.uint8)
    restored = np.zeros_like(rows)
    for row in range(5):
        for column in range(width):
            number, place = divmod(column, block)
            value, zero = _number(values[row, number], place, bits), _number(zeros[row], number, bits)
            restored[row, column] = scales[row, number] * (value - zero)
    expected = _restored(rows, bits, block)
    # The runtime multiplies by the inverse of the step: a number between two levels may fall to the other one.
    equal = np.isclose(restored, expected, rtol=1e-5, atol=1e-6)
    steps = np.repeat(scales, block, axis=1)[:, :width]
    assert equal.mean() >= 0.99
    assert (np.abs(restored - expected) <= 1.0001 * steps + 1e-6).all()


def _number(packed: np.ndarray, place: int, bits: int) -> int:
    """The number at a place of packed bytes."""
    return int(packed[place] if bits == 8 else packed[place // 2] >> 4 * (place % 2) & 15)


@pytest.mark.parametrize(("bits", "error"), [(4, 1.63e-5), (8, 5.64e-8)])
def test_error_of_a_matrix_of_normal_weights(bits, error):
    rows = (np.random.default_rng(0).normal(size=(384, 384)) * 0.05).astype(np.float32)
    values, scales, zeros = round_blocks(rows, bits, 32)
    if bits == 4:
        values, zeros = (
            np.stack([part & 15, part >> 4], axis=-1).reshape(*part.shape[:-1], -1) for part in (values, zeros)
        )
    restored = scales[:, :, None] * (values.astype(np.float32) - zeros[:, :, None])
    # An even rounding error has a variance of a twelfth of the squared step.
    assert np.square(restored.reshape(384, 384) - rows).mean() == pytest.approx((scales**2).mean() / 12, rel=0.02)
    assert np.square(restored.reshape(384, 384) - rows).mean() == pytest.approx(error, rel=0.02)


def test_products_that_share_a_matrix_share_its_blocks(graph):
    model = graph()
    model.graph.node.append(helper.make_node("MatMul", ["masked", "matrix"], ["again"], "again"))
    model.graph.node.append(helper.make_node("MatMul", ["product", "head"], ["last"], "last"))
    names = [tensor.name for tensor in weight_only(model, _work()).model.graph.initializer]
    assert len(names) == len(set(names))
    assert names.count("matrix_int4") == 1


def _run_from(model, start: str, values: np.ndarray, end: str) -> list[np.ndarray]:
    """Run the part of a model from one tensor to another."""
    import onnxruntime

    (node,) = [node for node in model.graph.node if end in node.output]
    inputs = [helper.make_tensor_value_info(start, TensorProto.FLOAT, None)]
    part = helper.make_graph(
        [node], "part", inputs, [helper.make_tensor_value_info(end, TensorProto.FLOAT, None)],
        [tensor for tensor in model.graph.initializer if tensor.name in node.input],
    )  # fmt: skip
    alone = helper.make_model(part, opset_imports=model.opset_import, ir_version=10)
    return onnxruntime.InferenceSession(alone.SerializeToString()).run([end], {start: values})


@pytest.mark.parametrize(
    ("settings", "kinds", "stayed"),
    [
        ({}, {"MatMulNBits": 2, "GatherBlockQuantized": 1, "MatMul": 1}, {"head_in_out"}),
        ({"embeddings": False}, {"MatMulNBits": 2, "Gather": 1, "MatMul": 1}, {"table", "head_in_out"}),
        ({"matrices": False}, {"GatherBlockQuantized": 1, "MatMul": 3}, {"matrix", "gemm", "head_in_out"}),
    ],
)
def test_switches_say_what_is_rounded(graph, settings, kinds, stayed):
    done = weight_only(graph(), _work(**settings))
    found = [node.op_type for node in done.model.graph.node]
    for kind, count in kinds.items():
        assert found.count(kind) == count, kind
    assert [opset.domain for opset in done.model.opset_import].count("com.microsoft") == 1
    assert set(done.reasons) == stayed
    assert done.precision == ("int4 embeddings" if settings.get("matrices") is False else "int4")


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("block", [32, 128])
def test_size_on_disk_is_that_of_the_bits_and_scales(graph, tmp_path, bits, block):
    model = graph(rows=4000, width=256, hidden=512)
    weights = 4000 * 256 + 256 * 512 + 512 * 512
    save_onnx(weight_only(model, _work(bits=bits, block=block)).model, tmp_path / "model.onnx")
    expected = weights * (bits + (32 + bits) / block) / 8
    assert (tmp_path / "model.onnx").stat().st_size == pytest.approx(expected, rel=0.02)


def test_rows_that_do_not_fill_bytes_stay_in_float(graph):
    done = weight_only(graph(width=49), _work(bits=4))
    assert done.reasons["table"] == "its rows do not fill whole bytes"
    assert weight_only(graph(width=49), _work(bits=8)).reasons.keys() == {"head_in_out"}


@pytest.mark.parametrize("bits", [4, 8])
def test_logits_are_those_of_the_parent_with_rounded_weights(tiny_onnx, texts, quantized, tmp_path, bits):
    manifest, folder = quantized(tiny_onnx, method="weight_only", bits=bits, block=16)
    assert manifest.precision == f"int{bits}"
    assert manifest.details["numbers"][f"int{bits}"] > 0.8
    (reason,) = manifest.details["kept_float"]
    assert "classification head" in reason

    model = load_onnx(tiny_onnx / "model.onnx")
    split_gemms(model)
    rounded = {name: _restored(values.T, bits, 16).T for _, name, values in float_matrices(model)[:-1]}
    rounded |= {name: _restored(values, bits, 16) for _, name, values in float_tables(model)}
    for tensor in model.graph.initializer:
        if tensor.name in rounded:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rounded[tensor.name]), tensor.name))
    save_onnx(model, tmp_path / "rounded.onnx")
    tokenizer = Tokenizer(tiny_onnx, 32)
    predict = partial(run_session, open_session(tmp_path / "rounded.onnx"))
    expected = predict_outputs(predict, tokenizer.encode(texts), tokenizer.pad_id)["logits"]
    found = logits_of(load(folder), texts)
    # The runtime rounds activations to int8 inside the products.
    assert np.abs(found - expected).mean() < 0.02 * np.abs(expected).mean()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("method", ["dynamic", "static"])
def test_int8_goes_on_where_only_the_embeddings_are_rounded(tiny_onnx, tiny_task, texts, quantized, bits, method):
    first, embeddings = quantized(tiny_onnx, "first", method="weight_only", matrices=False, block=16, bits=bits)
    assert first.precision == f"int{bits} embeddings"
    further = {"calibration_size": 64} if method == "static" else {}
    manifest, folder = quantized(embeddings, "second", tiny_task / "train.parquet", method=method, **further)
    before, after = logits_of(load(embeddings), texts), logits_of(load(folder), texts)
    assert (before.argmax(1) == after.argmax(1)).mean() >= 0.9
    assert manifest.details["numbers"].keys() >= {f"int{bits}", "int8"}
    assert set(manifest.details["kept_float"]) <= {HEAD}


def test_nothing_to_round_is_refused():
    with pytest.raises(ValidationError, match="leave nothing to quantize"):
        _work(matrices=False, embeddings=False)


@pytest.mark.parametrize("embeddings", [True, False])
def test_a_table_whose_first_rows_are_taken_is_rounded_row_by_row(graph, outputs, arrays, embeddings):
    model = graph()
    positions = np.random.default_rng(1).normal(size=(20, 48)).astype(np.float32)
    positions[3] *= 50
    positions[4] = 0
    model.graph.initializer.append(numpy_helper.from_array(positions, "positions"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "zero"))
    model.graph.node.append(helper.make_node("Shape", ["input_ids"], ["size"], start=1, end=2))
    model.graph.node.append(helper.make_node("Slice", ["positions", "zero", "size", "zero"], ["taken"]))
    after = weight_only(model, _work(embeddings=embeddings)).model
    stored = {tensor.name: tensor.data_type for tensor in after.graph.initializer}
    if not embeddings:
        assert stored["positions"] == TensorProto.FLOAT
        return
    assert stored["positions_int8"] == TensorProto.INT8
    assert "positions" not in stored
    assert (arrays(after)["positions_scales"] > 0).all()
    ids = np.zeros((1, 12), np.int64)
    (taken,) = outputs(after, ["taken"], input_ids=ids, attention_mask=np.ones_like(ids))
    for row, expected in zip(taken, positions[:12], strict=True):
        step = max(abs(value) for value in expected) / 127
        np.testing.assert_allclose(
            row, [round(float(value / step)) * step if step else 0 for value in expected], rtol=1e-5
        )
