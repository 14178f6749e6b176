from types import SimpleNamespace

import numpy as np
import pytest
from heads import logits_of, task_in, task_record

from constrictor.compression.quantization import onnx_calibration, onnx_static
from constrictor.compression.quantization.context import QuantizationContext
from constrictor.compression.quantization.onnx_graph import split_gemms
from constrictor.compression.quantization.onnx_static import static
from constrictor.compression.sample import draw_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.machine import has_int8_dot_product
from constrictor.models.onnx_file import load_onnx, save_onnx
from constrictor.runtimes.load import load
from constrictor.study.steps.quantize import Static


def _settings(**changes) -> Static:
    return Static(stage="quantize", method="static", **{"calibration_size": 64, **changes})


@pytest.fixture
def context(tiny_onnx, tiny_task, tmp_path):
    """What the method is handed, for the tiny ONNX model and its training texts."""
    before = SimpleNamespace(trained_for=task_record)
    return lambda **changes: QuantizationContext(
        _settings(**changes),
        tiny_onnx,
        before,
        tmp_path,
        None,
        task_in(tiny_task),
        calibration=tiny_task / "train.parquet",
    )


def test_ranges_are_the_extremes_of_what_the_runtime_computes(tiny_onnx, tiny_task, context, outputs):
    model = load_onnx(tiny_onnx / "model.onnx")
    split_gemms(model)
    name = next(node.input[0] for node in model.graph.node if node.op_type == "MatMul")
    found = onnx_calibration.calibrate(model, [name], context())[name]
    drawn = draw_examples(_settings(), tiny_task / "train.parquet")
    values = [
        outputs(model, [name], input_ids=ids[None], attention_mask=np.ones_like(ids[None]))[0]
        for ids in map(np.int64, Tokenizer(tiny_onnx, 32).encode(drawn.texts))
    ]
    extremes = min(part.min() for part in values), max(part.max() for part in values)
    assert found == pytest.approx(extremes, abs=1e-5)  # padding does not count


@pytest.mark.parametrize("per_channel", [True, False])
# Without the dot product, 8-bit products overflow the 16 bits that they are added up in, whatever the file asks for.
@pytest.mark.parametrize("dot_product", [True, False] if has_int8_dot_product() else [False])
def test_model_computes_with_weights_and_activations_rounded_by_hand(
    graph, outputs, arrays, monkeypatch, per_channel, dot_product
):
    monkeypatch.setattr(onnx_static, "has_int8_dot_product", lambda: dot_product)
    spans = {"masked": (-2.0, 3.0), "mean": (-4.0, 6.0)}
    monkeypatch.setattr(
        onnx_static, "calibrate", lambda model, tensors, context: {name: spans[name] for name in tensors}
    )
    model = graph()
    before = arrays(model)
    done = static(model, SimpleNamespace(settings=_settings(per_channel=per_channel)))
    assert done.details["reduced_range"] is not dot_product
    largest = 127 if dot_product else 63
    assert np.abs(arrays(done.model)["matrix_int8"]).max() == largest

    ids = np.random.default_rng(1).integers(0, 50, (6, 5))
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    rows, product = outputs(done.model, ["rows", "product"], **inputs)
    (weight,) = outputs(done.model, ["matrix_restored"], **inputs)  # alone: it keeps the product from being fused
    step = np.abs(before["table"]).max() / 127
    np.testing.assert_allclose(rows, step * np.round(before["table"] / step)[ids], atol=1e-5)
    scale, zero = 5 / 255, round(2 / (5 / 255))
    activations = scale * (np.clip(np.round(rows / scale) + zero, 0, 255) - zero)
    steps = np.abs(before["matrix"]).max(axis=0 if per_channel else None) / largest
    rounded = steps * np.round(before["matrix"] / steps)
    np.testing.assert_allclose(weight, rounded, atol=1e-5)
    np.testing.assert_allclose(product, activations @ rounded, atol=1e-3)
    assert list(done.details["ranges"]) == ["masked", "mean"]  # in one order, whatever the hashes of names


def test_attention_and_head_stay_in_float_and_the_rest_is_fused_to_int8(tiny_onnx, context, tmp_path):
    import onnx
    import onnxruntime

    done = static(load_onnx(tiny_onnx / "model.onnx"), context())
    save_onnx(done.model, tmp_path / "model.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(tmp_path / "model.onnx", options)
    kinds = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    # Four layers of six matrices, and the pooler; scores and context of each layer, and the head.
    assert kinds.count("MatMulIntegerToFloat") == 4 * 6 + 1
    assert sum(kind in ("MatMul", "FusedMatMul", "Gemm") for kind in kinds) == 4 * 2 + 1
    assert [tensor.name for tensor in done.model.graph.initializer if tensor.name in done.reasons]


@pytest.mark.parametrize("ranges", ["minmax", "percentile", "entropy"])
def test_predictions_agree_with_the_parent(tiny_onnx, tiny_task, texts, quantized, ranges):
    settings = {"method": "static", "ranges": ranges, "calibration_size": 64}
    manifest, folder = quantized(tiny_onnx, calibration=tiny_task / "train.parquet", **settings)
    full, small = logits_of(load(tiny_onnx), texts), logits_of(load(folder), texts)
    assert (full.argmax(1) == small.argmax(1)).mean() >= 0.9
    assert (manifest.format, manifest.precision) == ("onnx", "int8")
    assert manifest.details["numbers"]["int8"] > 0.9
    assert manifest.files.keys() & {"calibration.onnx"} == set()


def test_embeddings_stay_in_float_where_the_step_says_so(graph, monkeypatch):
    monkeypatch.setattr(onnx_static, "calibrate", lambda model, tensors, context: dict.fromkeys(tensors, (-1.0, 1.0)))
    done = static(graph(), SimpleNamespace(settings=_settings(embeddings=False)))
    assert done.reasons["table"] == "the step sets 'embeddings: false'"
    assert "table" in {tensor.name for tensor in done.model.graph.initializer}


def test_size_on_disk_is_a_byte_a_weight(graph, monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_static, "calibrate", lambda model, tensors, context: dict.fromkeys(tensors, (-1.0, 1.0)))
    done = static(graph(rows=4000, width=256, hidden=512), SimpleNamespace(settings=_settings()))
    save_onnx(done.model, tmp_path / "model.onnx")
    expected = 4000 * 256 + 256 * 512 + 512 * 512 + 2 * 512 * 5 + 3 * 512 * 4
    assert (tmp_path / "model.onnx").stat().st_size == pytest.approx(expected, rel=0.02)


def test_too_few_calibration_examples_are_refused_and_nothing_is_written(tiny_onnx, tiny_task, quantized, tmp_path):
    with pytest.raises(ConstrictorError, match=r"'train' has 72 examples and the step calibrates on 256"):
        quantized(tiny_onnx, calibration=tiny_task / "train.parquet", method="static")
    assert not list(tmp_path.rglob("*.onnx"))


def test_equal_input_gives_equal_files(tiny_onnx, tiny_task, quantized):
    settings = {"method": "static", "calibration_size": 32}
    found = [quantized(tiny_onnx, name, tiny_task / "train.parquet", **settings)[0] for name in ("a", "b")]
    assert found[0].files == found[1].files


def test_what_is_always_zero_is_computed_as_zero(graph, outputs, arrays, monkeypatch):
    monkeypatch.setattr(onnx_static, "calibrate", lambda model, tensors, context: dict.fromkeys(tensors, (0.0, 0.0)))
    model = graph()
    for tensor in model.graph.initializer:
        if tensor.name in ("table", "matrix"):
            tensor.raw_data = bytes(len(tensor.raw_data))
    done = static(model, SimpleNamespace(settings=_settings()))
    stored = arrays(done.model)
    assert stored["masked_scale"] == stored["table_scale"] == 1
    assert (stored["masked_zero"], stored["masked_zero"].dtype) == (0, np.uint8)
    assert (stored["matrix_scale"] == 1).all()
    ids = np.zeros((1, 3), np.int64)
    (product,) = outputs(done.model, ["product"], input_ids=ids, attention_mask=np.ones_like(ids))
    assert not product.any()
