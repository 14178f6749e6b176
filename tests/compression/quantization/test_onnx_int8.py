import logging
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from heads import logits_of

from constrictor.compression.quantization import onnx_int8
from constrictor.compression.quantization.onnx_int8 import dynamic
from constrictor.models.onnx_file import save_onnx
from constrictor.runtimes.load import load
from constrictor.study.steps.quantize import Dynamic


@pytest.fixture
def run(tmp_path):
    """Quantize a model by the settings of a step."""
    return lambda model, **settings: dynamic(
        model, SimpleNamespace(settings=Dynamic(stage="quantize", method="dynamic", **settings), staging=tmp_path)
    )


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("dot_product", [True, False])
def test_stored_weights_are_those_rounded_by_hand(graph, arrays, run, monkeypatch, per_channel, dot_product):
    monkeypatch.setattr(onnx_int8, "has_int8_dot_product", lambda: dot_product)
    model = graph()
    matrix = arrays(model)["matrix"]
    done = run(model, per_channel=per_channel)
    found = arrays(done.model)
    values, scale = found["matrix_quantized"], found["matrix_scale"]
    assert values.dtype == np.int8
    assert done.details == {"reduced_range": not dot_product}
    largest = np.abs(matrix).max(axis=0 if per_channel else None)
    assert scale.shape == largest.shape
    # The runtime spreads the range -max to max over 254 levels, or 128 where the range is reduced.
    np.testing.assert_allclose(scale, largest / (127 if dot_product else 64), rtol=1e-5)
    np.testing.assert_array_equal(values, np.round(matrix / scale).astype(np.int8))
    assert not found["matrix_zero_point"].any()


def test_outputs_are_those_of_the_rounded_weights(graph, arrays, outputs, run):
    done = run(graph())
    found = arrays(done.model)
    ids = np.random.default_rng(0).integers(0, 50, (4, 6))
    masked, product = outputs(done.model, ["masked", "product"], input_ids=ids, attention_mask=np.ones_like(ids))
    weight = found["matrix_quantized"] * found["matrix_scale"]
    step = (masked.max() - masked.min()) / 255
    scale = (found["table_scale"] * (found["table_quantized"].astype(np.float32) - found["table_zero_point"]))[ids]
    np.testing.assert_allclose(masked, scale, atol=1e-5)
    assert (np.abs(product - masked @ weight) <= step * np.abs(weight).sum(axis=0)).all()
    assert np.abs(product - masked @ weight).max() > 0  # activations are rounded too


def test_the_advice_of_the_quantizer_is_not_shown_and_later_warnings_are(graph, run, caplog):
    run(graph())
    logging.getLogger("later").warning("shown")
    assert [record.getMessage() for record in caplog.records] == ["shown"]


def test_embeddings_stay_in_float_where_the_step_says_so(graph, run):
    done = run(graph(), embeddings=False)
    assert done.reasons == {"table": "the step sets 'embeddings: false'"}
    (table,) = [tensor for tensor in done.model.graph.initializer if tensor.name == "table"]
    assert table.data_type == onnx.TensorProto.FLOAT
    assert "table" not in {tensor.name for tensor in run(graph()).model.graph.initializer}


@pytest.mark.parametrize("embeddings", [True, False])
def test_size_on_disk_is_a_byte_a_weight(graph, run, tmp_path, embeddings):
    done = run(graph(rows=4000, width=256, hidden=512), embeddings=embeddings)
    save_onnx(done.model, tmp_path / "model.onnx")
    expected = 4000 * 256 * (1 if embeddings else 4) + 256 * 512 + 512 * 512
    assert (tmp_path / "model.onnx").stat().st_size == pytest.approx(expected, rel=0.03)


def test_predictions_agree_with_the_parent(tiny_onnx, texts, quantized):
    manifest, folder = quantized(tiny_onnx, method="dynamic")
    full, small = logits_of(load(tiny_onnx), texts), logits_of(load(folder), texts)
    assert (full.argmax(1) == small.argmax(1)).mean() > 0.9
    assert (manifest.format, manifest.precision) == ("onnx", "int8")
    numbers = manifest.details["numbers"]
    assert numbers["int8"] + numbers["uint8"] > 0.8
    assert [record.step for record in manifest.lineage] == ["teacher", "onnx", "small"]


def test_a_model_with_external_data_is_read_and_gives_the_same(tiny_onnx, edited, texts, quantized):
    def move_weights_out(folder):
        model = onnx.load(folder / "model.onnx")
        onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="weights", size_threshold=0)
        assert (folder / "weights").stat().st_size > (folder / "model.onnx").stat().st_size

    outside = edited(move_weights_out)
    one, two = (quantized(parent, name, method="dynamic")[1] for parent, name in ((tiny_onnx, "a"), (outside, "b")))
    np.testing.assert_array_equal(logits_of(load(one), texts), logits_of(load(two), texts))


def test_equal_input_gives_equal_manifests(tiny_onnx, quantized):
    manifests = [quantized(tiny_onnx, name, method="dynamic")[0] for name in ("a", "b")]
    assert manifests[0].files == manifests[1].files
