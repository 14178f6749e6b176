from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import helper

from constrictor.compression.quantization import onnx_weight_only
from constrictor.compression.quantization.onnx_calibration import fitting_batches
from constrictor.compression.quantization.onnx_graph import replace_nodes, split_gemms
from constrictor.compression.quantization.onnx_method import stored_numbers
from constrictor.errors import ConstrictorError
from constrictor.models.onnx_file import load_onnx


@pytest.mark.parametrize("method", ["dynamic", "fp16", "weight_only"])
@pytest.mark.parametrize("damage", ["cut off", "other bytes", "empty"])
def test_a_damaged_file_is_named_and_nothing_is_written(tiny_onnx, edited, quantized, tmp_path, method, damage):
    whole = (tiny_onnx / "model.onnx").read_bytes()
    broken = {"cut off": whole[: len(whole) // 2], "other bytes": b"no model at all" * 9, "empty": b""}[damage]
    parent = edited(lambda folder: (folder / "model.onnx").write_bytes(broken))
    with pytest.raises(ConstrictorError, match=r"model\.onnx is no whole ONNX model"):
        quantized(parent, method=method)
    assert not (tmp_path / "small" / "model").exists()


def test_a_runtime_without_the_kernel_is_named_and_nothing_is_written(tiny_onnx, quantized, tmp_path, monkeypatch):
    made = onnx_weight_only.matmul_blocks

    def unknown(*arguments):
        node = made(*arguments)
        node.op_type = "MatMulOfTomorrow"
        return node

    monkeypatch.setattr(onnx_weight_only, "matmul_blocks", unknown)
    with pytest.raises(
        ConstrictorError,
        match=r"'small' made a model .*nothing was written\. .*ONNX Runtime.*MatMulOfTomorrow",
    ):
        quantized(tiny_onnx, method="weight_only", block=16)
    assert not (tmp_path / "small" / "model").exists()


def test_logits_that_are_no_numbers_are_refused(tiny_onnx, quantized, tmp_path, monkeypatch):
    made = onnx_weight_only.round_blocks
    monkeypatch.setattr(
        onnx_weight_only, "round_blocks", lambda *given: made(*given)._replace(scales=made(*given).scales * np.nan)
    )
    with pytest.raises(
        ConstrictorError,
        match=r"nothing was written\. .*16 of 16 inputs.*first in 'GatherBlockQuantized node_embedding \(.*weight_int4\)'",
    ):
        quantized(tiny_onnx, method="weight_only", block=16)
    assert not (tmp_path / "small" / "model").exists()


def test_split_gemms_compute_the_same(graph, outputs):
    model = graph()
    ids = np.random.default_rng(0).integers(0, 50, (3, 4))
    (before,) = outputs(model, ["logits"], input_ids=ids, attention_mask=np.ones_like(ids))
    split_gemms(model)
    (after,) = outputs(model, ["logits"], input_ids=ids, attention_mask=np.ones_like(ids))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)
    assert "Gemm" not in {node.op_type for node in model.graph.node}


def test_stored_numbers_count_what_is_packed(graph):
    model = graph(rows=64, width=64, hidden=64)
    weights = 64 * 64 * 3
    rest = 2 * 64 + 64 + 2 + 2  # head, biases, two axes
    assert stored_numbers(model, {})["numbers"]["fp32"] == pytest.approx(
        (weights + rest - 2) / (weights + rest), abs=1e-6
    )
    settings = SimpleNamespace(bits=4, block=32, matrices=True, embeddings=True)
    done = onnx_weight_only.weight_only(model, SimpleNamespace(settings=settings))
    numbers = stored_numbers(done.model, done.reasons)["numbers"]
    total = weights + rest + 2 * weights // 32
    assert numbers["int4"] == pytest.approx((weights + weights // 32) / total, abs=1e-6)
    assert next(iter(numbers)) == "int4"  # the most first
    assert sum(numbers.values()) == pytest.approx(1, abs=1e-5)


def test_what_stayed_in_float_is_told_with_its_reason(graph):
    found = stored_numbers(graph(), {"matrix": "why", "table": "why"})
    assert found["kept_float"] == {"why": ["matrix", "table"]}
    model = graph()
    split_gemms(model)
    kept = stored_numbers(model, {"matrix": "why"})["kept_float"]
    assert kept == {"why": ["matrix"], "too small to matter": ["gemm", "head_in_out", "table"]}


def test_blocks_without_zero_points_are_counted_by_their_bits(graph):
    model = graph(rows=64, width=64, hidden=64)
    settings = SimpleNamespace(bits=4, block=32, matrices=True, embeddings=False)
    done = onnx_weight_only.weight_only(model, SimpleNamespace(settings=settings))
    with_zeros = stored_numbers(done.model, {})["numbers"]["int4"]
    for node in done.model.graph.node:
        if node.op_type == "MatMulNBits":
            del node.input[3:]
    replace_nodes(done.model, lambda node: [node])
    assert 0 < stored_numbers(done.model, {})["numbers"]["int4"] < with_zeros


@pytest.mark.parametrize(
    ("shape", "expected"),
    [(["b", "l"], [(2, 5), (1, 2)]), ([2, 4], [(2, 4), (2, 4)]), ([1, 8], [(1, 8)] * 3), (["b", 4], [(2, 4), (1, 4)])],
)
def test_batches_take_the_fixed_shape_of_the_model(shape, expected):
    session = SimpleNamespace(get_inputs=lambda: [SimpleNamespace(shape=shape)])
    encoded = [np.arange(1, 4), np.arange(1, 6), np.arange(1, 3)]
    found = list(fitting_batches(session, encoded, pad_id=9, batch_size=2))
    assert [batch["input_ids"].shape for batch in found] == expected
    for batch in found:
        np.testing.assert_array_equal(batch["attention_mask"], (batch["input_ids"] != 9).astype(int))


@pytest.mark.parametrize("settings", [{"method": "dynamic"}, {"method": "static", "calibration_size": 32}])
def test_a_model_of_fixed_shape_is_quantized(edited, tiny_task, quantized, settings):
    def fix_shape(folder):
        model = load_onnx(folder / "model.onnx")
        for part in model.graph.input:
            part.CopyFrom(helper.make_tensor_value_info(part.name, onnx.TensorProto.INT64, [1, 16]))
        onnx.save(model, folder / "model.onnx")

    _, folder = quantized(edited(fix_shape), calibration=tiny_task / "train.parquet", **settings)
    axes = onnx.load(folder / "model.onnx").graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_value for axis in axes] == [1, 16]
