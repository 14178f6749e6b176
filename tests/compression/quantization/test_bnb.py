import logging

import numpy as np
import pytest
import torch
from heads import head_with, load_classifier, task_in
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForSequenceClassification

from constrictor.compression.quantization.bnb import quantize_bnb
from constrictor.compression.quantization.quantize import quantize
from constrictor.errors import ConstrictorError
from constrictor.models.architecture import encoder_linears
from constrictor.models.manifest import read_manifest
from constrictor.models.quantized.bitsandbytes import WEIGHTS, load_bnb
from constrictor.models.quantized.modules import save_quantized
from constrictor.study.steps.quantize import BitsAndBytes
from constrictor.training.node import Node

METHODS = ["llm_int8", "nf4", "fp4"]
LAYER = "bert.encoder.layer.0.intermediate.dense"
# QLoRA, appendix E.
NF4 = np.array(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
     -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
     0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
)  # fmt: skip


def _settings(method, **settings):
    return BitsAndBytes(stage="quantize", method=method, **settings)


def _open(folder):
    return load_classifier(folder, ["bad", "good"], 32)


def _through_disk(model, source, folder):
    save_quantized(model, source, folder / WEIGHTS)
    return load_bnb(folder, head_with())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("double", [True, False])
def test_reloaded_model_says_what_it_said_in_memory(wide_teacher, ask, tmp_path, method, double):
    model = _open(wide_teacher)
    exact = ask(model)
    quantize_bnb(model, _settings(method, double_quantization=double))
    again = _through_disk(model, wide_teacher, tmp_path)
    assert torch.equal(ask(again), ask(model))
    assert 0 < (ask(again) - exact).abs().max() < 0.5 * exact.abs().max()
    assert isinstance(again.classifier, nn.Linear)
    assert type(again.classifier) is nn.Linear


@pytest.mark.parametrize("method", METHODS)
def test_stage_saves_what_was_quantized_and_not_what_a_forward_pass_left(
    wide_teacher, tiny_task, ask, tmp_path, method
):
    """On a CPU with bf16 products, a file that is written after a forward pass holds other scales."""
    quantize(_settings(method), wide_teacher, Node(tmp_path, "small", 1), task=task_in(tiny_task))
    model = _open(wide_teacher)
    quantize_bnb(model, _settings(method))
    fresh = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    stored = load_file(tmp_path / "model" / "model.safetensors")
    assert stored.keys() == fresh.keys()
    for name, tensor in stored.items():
        assert tensor.dtype == fresh[name].dtype, name
        assert torch.equal(tensor, fresh[name]), name
    assert torch.equal(ask(load_bnb(tmp_path / "model", head_with())), ask(model))


@pytest.mark.parametrize("method", METHODS)
def test_transformers_opens_the_folder_without_us(wide_teacher, tiny_task, ask, tmp_path, method):
    quantize(_settings(method), wide_teacher, Node(tmp_path, "small", 1), task=task_in(tiny_task))
    theirs = AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "model", device_map="cpu", attn_implementation="sdpa", dtype=torch.float32
    )
    torch.testing.assert_close(ask(theirs), ask(load_bnb(tmp_path / "model", head_with())))


def test_int8_is_that_of_numpy(wide_teacher):
    model = _open(wide_teacher)
    weight = model.get_submodule(LAYER).weight.detach().half().float().numpy()
    quantize_bnb(model, _settings("llm_int8"))
    layer = model.get_submodule(LAYER).weight
    largest = np.abs(weight).max(axis=1)
    np.testing.assert_allclose(layer.SCB, largest, rtol=1e-6)
    assert np.abs(layer.data.numpy() - weight * 127 / largest[:, None]).max() <= 0.5001


def test_nf4_is_that_of_numpy(wide_teacher):
    import bitsandbytes

    model = _open(wide_teacher)
    blocks = model.get_submodule(LAYER).weight.detach().numpy().reshape(-1, 64)
    quantize_bnb(model, _settings("nf4", double_quantization=False))
    weight = model.get_submodule(LAYER).weight
    found = bitsandbytes.functional.dequantize_4bit(weight.data, weight.quant_state).numpy().reshape(-1, 64)
    largest = np.abs(blocks).max(axis=1, keepdims=True)
    nearest = NF4[np.abs((blocks / largest)[..., None] - NF4).argmin(axis=-1)] * largest
    np.testing.assert_allclose(found, nearest, atol=1e-6)


def test_settings_reach_the_file(wide_teacher, tmp_path):
    def keys(method, **settings):
        model = _open(wide_teacher)
        quantize_bnb(model, _settings(method, **settings))
        save_quantized(model, wide_teacher, tmp_path / WEIGHTS)
        own = load_file(tmp_path / "model.safetensors")
        return {name.removeprefix(f"{LAYER}.") for name in own if name.startswith(LAYER)}

    common = {"weight", "bias", "weight.absmax", "weight.quant_map"}
    nested = {"weight.nested_absmax", "weight.nested_quant_map"}
    assert keys("nf4") == common | nested | {"weight.quant_state.bitsandbytes__nf4"}
    assert keys("fp4", double_quantization=False) == common | {"weight.quant_state.bitsandbytes__fp4"}
    assert keys("llm_int8") == {"weight", "bias", "SCB", "weight_format"}


@pytest.mark.parametrize(("method", "bits"), [("llm_int8", 8), ("nf4", 4.127)])
def test_size_is_parameters_times_bits(wide_teacher, tiny_task, tmp_path, method, bits):
    manifest = quantize(_settings(method), wide_teacher, Node(tmp_path, "small", 1), task=task_in(tiny_task))
    before = read_manifest(wide_teacher)
    linears = sum(module.weight.numel() for module in encoder_linears(_open(wide_teacher)).values()) + 128 * 128
    expected = 4 * (before.parameters - linears) + bits / 8 * linears
    assert manifest.files["model.safetensors"].bytes == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("width", [192, 224])
@pytest.mark.parametrize("method", METHODS)
def test_model_whose_matrices_were_cut(wide_teacher, ask, cut, tmp_path, method, width):
    model = _open(wide_teacher)
    cut(model, width)
    kept = quantize_bnb(model, _settings(method))
    # 224 inputs are no multiple of 64; 224 outputs are one of 32.
    odd = ["bert.encoder.layer.0.output.dense"] if width == 224 and method != "llm_int8" else []
    assert list(kept) == [*odd, "classifier"]
    assert torch.equal(ask(_through_disk(model, wide_teacher, tmp_path)), ask(model))


def test_layers_without_a_kernel_stay_and_the_manifest_says_why(tiny_teacher, tiny_task, ask, tmp_path):
    manifest = quantize(_settings("nf4"), tiny_teacher, Node(tmp_path, "small", 1), task=task_in(tiny_task))
    assert manifest.details["modules"] == {"4 bits": {"linear": 4}, "fp32": {"embedding": 3, "linear": 22, "norm": 9}}
    reasons = manifest.details["kept"]
    shape, head = sorted(reasons, key=lambda reason: len(reasons[reason]), reverse=True)
    assert len(reasons[shape]) == 21
    assert "outputs in multiples of 32 and inputs in multiples of 64" in shape
    assert "multiple_of: 64" in shape
    assert reasons[head] == ["classifier"]
    theirs = AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "model", device_map="cpu", attn_implementation="sdpa", dtype=torch.float32
    )
    torch.testing.assert_close(ask(theirs), ask(load_bnb(tmp_path / "model", head_with())))


def test_model_that_no_kernel_fits_is_refused_and_nothing_is_written(tiny_teacher, tiny_task, tmp_path, monkeypatch):
    monkeypatch.setattr("constrictor.models.quantized.bitsandbytes_layers.INPUTS", 128)
    with pytest.raises(ConstrictorError, match=r"'nf4' fits no layer of this model.*32 x 64.*'method: llm_int8'"):
        quantize(_settings("nf4"), tiny_teacher, Node(tmp_path / "node", "small", 1), task=task_in(tiny_task))
    assert not list((tmp_path / "node").iterdir())


def test_no_warning_a_call(wide_teacher, tiny_task, ask, tmp_path, caplog, capfd):
    quantize(_settings("llm_int8"), wide_teacher, Node(tmp_path, "small", 1), task=task_in(tiny_task))
    with caplog.at_level(logging.WARNING):
        ask(load_bnb(tmp_path / "model", head_with()))
    assert not caplog.records
    assert capfd.readouterr().err == ""
