import numpy as np
import onnx
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from constrictor.artifacts.manifest import read_manifest
from constrictor.artifacts.torch_model import load_classifier
from constrictor.compression.quantization.int8_linear import Int8Linear, replace_linears
from constrictor.compression.quantization.quantize import quantize
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer, pad
from constrictor.runtimes.load import load
from constrictor.study.steps.quantize import Quantize


def _quantize(parent, target, **settings):
    return quantize(Quantize(stage="quantize", **settings), parent, target, "small")


def _texts(task) -> list[str]:
    return read_examples(task / "test.parquet").texts


@pytest.mark.parametrize("per_channel", [True, False])
def test_int8_model_on_disk_says_what_it_said_in_memory(tiny_teacher, tiny_task, tmp_path, per_channel):
    manifest = _quantize(tiny_teacher, tmp_path / "model", method="dynamic", per_channel=per_channel)
    model = load_classifier(tiny_teacher, ["bad", "good"], 32).eval()
    replace_linears(model, lambda linear: Int8Linear.from_linear(linear, per_channel))
    runtime = load(tmp_path / "model")
    batch = pad(runtime.tokenizer.encode(_texts(tiny_task)), runtime.tokenizer.pad_id)
    with torch.inference_mode():
        expected = model(**{name: torch.from_numpy(values) for name, values in batch.items()}).logits.numpy()
    np.testing.assert_array_equal(runtime.predict(batch), expected)
    assert (manifest.format, manifest.precision) == ("torch-int8", "int8")
    assert manifest.details == {"int8_layers": 4 * 6 + 2}


def test_int8_predictions_agree_with_the_teacher_in_less_space(tiny_teacher, tiny_task, tmp_path):
    manifest = _quantize(tiny_teacher, tmp_path / "model", method="dynamic")
    teacher, small = load(tiny_teacher), load(tmp_path / "model")
    texts = _texts(tiny_task)
    assert (teacher.logits_of(texts).argmax(1) == small.logits_of(texts).argmax(1)).mean() > 0.9
    old, new = teacher.manifest.files["model.safetensors"].bytes, manifest.files["model-int8.safetensors"].bytes
    assert new < 0.7 * old


@pytest.mark.parametrize(("method", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_half_precision_is_stored_rounded_and_opens_without_us(tiny_teacher, tiny_task, tmp_path, method, dtype):
    manifest = _quantize(tiny_teacher, tmp_path / "model", method=method)
    assert manifest.precision == method
    assert (
        manifest.files["model.safetensors"].bytes < 0.6 * read_manifest(tiny_teacher).files["model.safetensors"].bytes
    )
    stored = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model", dtype="auto").state_dict()
    exact = load_classifier(tiny_teacher, ["bad", "good"], 32).state_dict()
    for name, tensor in stored.items():
        assert tensor.dtype == dtype
        assert torch.equal(tensor, exact[name].to(dtype)), name
    texts = _texts(tiny_task)
    half, full = load(tmp_path / "model").logits_of(texts), load(tiny_teacher).logits_of(texts)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.15)


def test_int8_onnx_agrees_with_its_parent(tiny_onnx, tiny_task, tmp_path):
    manifest = _quantize(tiny_onnx, tmp_path / "model", method="dynamic")
    texts = _texts(tiny_task)
    full, small = load(tiny_onnx).logits_of(texts), load(tmp_path / "model").logits_of(texts)
    assert (full.argmax(1) == small.argmax(1)).mean() > 0.9
    assert (manifest.format, manifest.precision) == ("onnx", "int8")
    assert manifest.details["int8_share"] > 0.8
    assert [record.step for record in manifest.lineage] == ["teacher", "onnx", "small"]
    types = {node.op_type for node in onnx.load(tmp_path / "model" / "model.onnx").graph.node}
    assert types & {"MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}


def test_quantizing_twice_gives_equal_manifests(tiny_teacher, tiny_onnx, tmp_path):
    for number, parent in enumerate((tiny_teacher, tiny_onnx)):
        found = [_quantize(parent, tmp_path / f"{number}{turn}", method="dynamic") for turn in "ab"]
        assert found[0] == found[1]


def test_tokenizer_comes_along(tiny_teacher, tmp_path):
    _quantize(tiny_teacher, tmp_path / "model", method="fp16")
    assert Tokenizer(tmp_path / "model", 32).encode(["a film"])[0].tolist() == (
        Tokenizer(tiny_teacher, 32).encode(["a film"])[0].tolist()
    )
