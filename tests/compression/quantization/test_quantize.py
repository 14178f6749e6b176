import numpy as np
import onnx
import pytest
import torch
from heads import load_classifier, logits_of, task_in
from pydantic import TypeAdapter
from transformers import AutoModelForSequenceClassification

from constrictor.compression.quantization.quantize import quantize
from constrictor.compression.quantization.ranges import RANGES
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.machine import Machine
from constrictor.models.manifest import read_manifest
from constrictor.runtimes.load import load
from constrictor.study.steps.quantize import AnyQuantize, Static
from constrictor.training.node import Node

TORCH_INT8 = [{"method": "dynamic"}, *({"method": "static", "ranges": name} for name in RANGES)]


def _quantize(parent, folder, task, **settings):
    if settings["method"] == "static":
        settings["calibration_size"] = 64
    step = TypeAdapter(AnyQuantize).validate_python({"stage": "quantize", **settings})
    return quantize(step, parent, Node(folder, "small", 1), task=task_in(task), calibration=task / "train.parquet")


def _texts(task) -> list[str]:
    return read_examples(task / "test.parquet").texts


@pytest.mark.parametrize("settings", TORCH_INT8)
def test_torch_int8_agrees_with_the_teacher_and_says_what_is_in_it(tiny_teacher, tiny_task, tmp_path, settings):
    manifest = _quantize(tiny_teacher, tmp_path, tiny_task, **settings)
    teacher, small = load(tiny_teacher), load(tmp_path / "model")
    texts = _texts(tiny_task)
    assert (logits_of(teacher, texts).argmax(1) == logits_of(small, texts).argmax(1)).mean() > 0.9
    assert (manifest.format, manifest.precision) == ("torch-int8", "int8")
    assert manifest.details["modules"] == {"fp32": {"norm": 9}, "int8": {"embedding": 3, "linear": 4 * 6 + 2}}
    assert manifest.parameters == teacher.manifest.parameters
    old, new = teacher.manifest.files["model.safetensors"].bytes, manifest.files["model-int8.safetensors"].bytes
    assert new < 0.5 * old


@pytest.mark.parametrize(("method", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_half_precision_is_stored_rounded_and_opens_without_us(tiny_teacher, tiny_task, tmp_path, method, dtype):
    manifest = _quantize(tiny_teacher, tmp_path, tiny_task, method=method)
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
    half, full = logits_of(load(tmp_path / "model"), texts), logits_of(load(tiny_teacher), texts)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.15)


def test_int8_onnx_agrees_with_its_parent(tiny_onnx, tiny_task, tmp_path):
    manifest = _quantize(tiny_onnx, tmp_path, tiny_task, method="dynamic")
    texts = _texts(tiny_task)
    full, small = logits_of(load(tiny_onnx), texts), logits_of(load(tmp_path / "model"), texts)
    assert (full.argmax(1) == small.argmax(1)).mean() > 0.9
    assert (manifest.format, manifest.precision) == ("onnx", "int8")
    assert manifest.details["numbers"]["int8"] > 0.8
    assert [record.step for record in manifest.lineage] == ["teacher", "onnx", "small"]
    types = {node.op_type for node in onnx.load(tmp_path / "model" / "model.onnx").graph.node}
    assert types & {"MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}


def test_quantizing_twice_gives_equal_manifests(tiny_teacher, tiny_onnx, tiny_task, tmp_path):
    for number, parent in enumerate((tiny_teacher, tiny_onnx)):
        found = [_quantize(parent, tmp_path / f"{number}{turn}", tiny_task, method="dynamic") for turn in "ab"]
        assert found[0] == found[1]


def test_tokenizer_comes_along(tiny_teacher, tiny_task, tmp_path):
    _quantize(tiny_teacher, tmp_path, tiny_task, method="fp16")
    assert Tokenizer(tmp_path / "model", 32).encode(["a film"])[0].tolist() == (
        Tokenizer(tiny_teacher, 32).encode(["a film"])[0].tolist()
    )


def test_static_needs_as_many_examples_as_it_wants_to_look_at(tiny_teacher, tiny_task, tmp_path):
    step = Static(stage="quantize", method="static", calibration_size=1000)
    with pytest.raises(ConstrictorError, match=r"has 72 examples and the step calibrates on 1000\. Lower"):
        quantize(
            step,
            tiny_teacher,
            Node(tmp_path / "node", "small", 1),
            task=task_in(tiny_task),
            calibration=tiny_task / "train.parquet",
        )
    assert not list((tmp_path / "node").iterdir())


def test_what_the_machine_is_slow_at_is_said_in_log_and_manifest(
    tiny_teacher, tiny_task, tmp_path, monkeypatch, capsys
):
    machine = Machine(gpu=False, int8_dot_product=False, bf16_products=False)
    monkeypatch.setattr("constrictor.compression.quantization.quantize.this_machine", lambda: machine)
    manifest = _quantize(tiny_teacher, tmp_path, tiny_task, method="fp16")
    assert manifest.details["slow_here"].startswith("processors have no fast fp16 products")
    assert read_manifest(tmp_path / "model") == manifest
    assert "small is slow on this machine: processors have no fast fp16 products" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["fp16", "dynamic", "static", "llm_int8", "nf4"])
def test_cut_model_is_quantized_and_opened_again(wide_teacher, tiny_task, cut, tmp_path, method):
    model = load_classifier(wide_teacher, ["bad", "good"], 32)
    cut(model, 192)
    node = Node(tmp_path / "slim", "slim", 1)
    node.save(model, wide_teacher, read_manifest(wide_teacher), None, tiny_task / "validation.parquet")
    manifest = _quantize(node.model, tmp_path / "small", tiny_task, method=method)
    assert manifest.shape == read_manifest(node.model).shape
    assert manifest.shape is not None
    texts = _texts(tiny_task)
    small, full = logits_of(load(tmp_path / "small/model"), texts), logits_of(load(node.model), texts)
    assert np.abs(small - full).max() < 0.25 * np.abs(full).max()
