import pytest
import torch
from heads import head_with, load_classifier, sample_of
from safetensors.torch import load_file, save_file
from torch import nn

from constrictor.compression.quantization.torch_int8 import quantize_dynamic, quantize_static
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.models.quantized.int8_embedding import Int8Embedding
from constrictor.models.quantized.int8_linear import Int8Linear
from constrictor.models.quantized.int8_model import WEIGHTS, load_int8
from constrictor.models.quantized.modules import save_quantized
from constrictor.models.quantized.static_linear import StaticInt8Linear
from constrictor.study.steps.quantize import Dynamic, Static


@pytest.fixture(scope="module")
def sample(tiny_teacher, tiny_task):
    examples, tokenizer = read_examples(tiny_task / "train.parquet"), Tokenizer(tiny_teacher, 32)
    return sample_of(tokenizer.encode(examples.texts), examples.labels, tokenizer.pad_id)


def _quantize(model, sample, method, **settings):
    if method == "dynamic":
        quantize_dynamic(model, Dynamic(stage="quantize", method=method, **settings), sample.batches()[0])
    else:
        quantize_static(model, Static(stage="quantize", method=method, **settings), sample)


METHODS = [
    ("dynamic", {}),
    ("dynamic", {"per_channel": False, "embeddings": False}),
    ("static", {}),
    ("static", {"ranges": "percentile", "per_channel": False}),
    ("static", {"ranges": "entropy", "embeddings": False}),
]


@pytest.mark.parametrize(("method", "settings"), METHODS)
def test_reloaded_model_says_what_it_said_in_memory(tiny_teacher, sample, ask, tmp_path, method, settings):
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    exact = ask(model)
    _quantize(model, sample, method, **settings)
    save_quantized(model, tiny_teacher, tmp_path / WEIGHTS)
    again = load_int8(tmp_path, head_with())
    assert torch.equal(ask(again), ask(model))
    kinds = [type(module) for module in again.modules()]
    assert kinds.count(StaticInt8Linear if method == "static" else Int8Linear) == 26
    assert kinds.count(Int8Embedding) == (3 if settings.get("embeddings", True) else 0)
    assert nn.Linear not in kinds
    difference = (ask(again) - exact).abs().max()
    assert 0 < difference < 0.25 * exact.abs().max()


def test_padding_index_of_the_embeddings_is_kept(tiny_teacher, sample, tmp_path):
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    expected = model.bert.embeddings.word_embeddings.padding_idx
    assert expected is not None
    _quantize(model, sample, "dynamic")
    save_quantized(model, tiny_teacher, tmp_path / WEIGHTS)
    assert load_int8(tmp_path, head_with()).bert.embeddings.word_embeddings.padding_idx == expected


@pytest.mark.parametrize(("method", "embeddings"), [("dynamic", True), ("dynamic", False), ("static", True)])
def test_size_is_parameters_times_bits(wide_teacher, sample, tmp_path, method, embeddings):
    model = load_classifier(wide_teacher, ["bad", "good"], 32)
    bits = 0
    for module in model.modules():
        if isinstance(module, nn.Linear):
            bits += 8 * module.weight.numel()
        elif isinstance(module, nn.Embedding):
            bits += (8 if embeddings else 32) * module.weight.numel()
    _quantize(model, sample, method, embeddings=embeddings)
    save_quantized(model, wide_teacher, tmp_path / WEIGHTS)
    # Norms, biases, scales and the file's header come on top.
    assert bits / 8 < (tmp_path / WEIGHTS).stat().st_size < 1.1 * bits / 8


@pytest.mark.parametrize("method", ["dynamic", "static"])
def test_model_whose_matrices_were_cut(tiny_teacher, sample, ask, cut, tmp_path, method):
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    cut(model, 40)
    _quantize(model, sample, method)
    save_quantized(model, tiny_teacher, tmp_path / WEIGHTS)
    assert torch.equal(ask(load_int8(tmp_path, head_with())), ask(model))


def test_file_that_lacks_a_tensor_is_not_opened(tiny_teacher, sample, tmp_path):
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    _quantize(model, sample, "dynamic")
    save_quantized(model, tiny_teacher, tmp_path / WEIGHTS)
    tensors = load_file(tmp_path / WEIGHTS)
    del tensors["bert.embeddings.LayerNorm.weight"]
    save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(RuntimeError, match=r"Missing key.*LayerNorm\.weight"):
        load_int8(tmp_path, head_with())
