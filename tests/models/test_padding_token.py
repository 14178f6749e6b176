import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from heads import load_classifier
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

from constrictor.data.batching import pad
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.models.source import fetch_model
from constrictor.study.sources import LocalModel

TOKENS = ["<|endoftext|>", "<pad>", *sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())]
SIZES = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 258,
    "max_position_embeddings": 64, "num_key_value_heads": 2,
}  # fmt: skip


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Writes a random model of some family and a tokenizer of bytes, and fetches them."""

    def write(
        family: str, config: dict[str, Any] | None = None, special: tuple[str, ...] = (), **settings: Any
    ) -> Path:
        folder = tmp_path / "origin"
        torch.manual_seed(0)
        model = AutoModel.from_config(AutoConfig.for_model(family, **SIZES))
        model.save_pretrained(folder)
        save_file(
            {name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors"
        )
        written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kept = {key: value for key, value in written.items() if not key.endswith("_token_id")}
        (folder / "config.json").write_text(json.dumps({**kept, **(config or {})}), encoding="utf-8")
        vocabulary = {token: number for number, token in enumerate(TOKENS)}
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
        tokenizer.normalizer = tokenizers.normalizers.NFC()  # Qwen's
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.add_special_tokens(list(special))
        tokenizer.save(str(folder / "tokenizer.json"))
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", **settings}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        fetch_model(LocalModel(path=str(folder)), tmp_path / "model")
        return tmp_path / "model"

    return write


def _padding(folder: Path) -> set[int]:
    """What everyone pads with: this project, the model, and transformers."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return {Tokenizer(folder, 8).pad_id, config["pad_token_id"], AutoTokenizer.from_pretrained(folder).pad_token_id}


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2", "gpt_neox", "opt", "bert", "roberta"])
@pytest.mark.parametrize(
    ("config", "special", "settings", "expected"),
    [
        ({"eos_token_id": 0}, (), {}, 1),  # the tokenizer has a token of that name
        ({"pad_token_id": 1}, (), {"pad_token": "<pad>"}, 1),
        ({"pad_token_id": 1}, ("<|endoftext|>", "<pad>"), {"pad_token": "<|endoftext|>"}, 1),  # two: the model's
        ({"pad_token_id": 7}, ("<pad>",), {"pad_token": "<pad>"}, 1),  # an ordinary character
        ({"pad_token_id": -1, "eos_token_id": [0, 5]}, (), {"pad_token": "<|endoftext|>"}, 0),
    ],
)
def test_a_prediction_does_not_depend_on_the_inputs_beside_it(checkpoint, family, config, special, settings, expected):
    folder = checkpoint(family, config, special, **settings)
    assert _padding(folder) == {expected}
    tokenizer = Tokenizer(folder, 32)
    model = load_classifier(folder, ["bad", "good"], 32).eval()
    texts = tokenizer.encode(["the film was good !", "bad", "the film was good ! " * 5])

    def logits(sequences):
        batch = {name: torch.from_numpy(values) for name, values in pad(sequences, tokenizer.pad_id).items()}
        with torch.inference_mode():
            return model(**batch).logits

    alone = torch.cat([logits([text]) for text in texts])
    torch.testing.assert_close(logits(texts), alone, atol=1e-5, rtol=1e-4)


def test_a_model_without_padding_is_padded_with_the_token_that_ends_a_text(checkpoint, monkeypatch):
    monkeypatch.setitem(globals(), "TOKENS", ["<|endoftext|>", *TOKENS[2:]])
    assert _padding(checkpoint("gpt2", {"eos_token_id": 0})) == {0}


def test_a_model_without_any_such_token_is_refused(checkpoint, monkeypatch):
    monkeypatch.setitem(globals(), "TOKENS", TOKENS[2:])
    with pytest.raises(
        ConstrictorError, match=r"has no token to pad inputs with.*Set 'pad_token_id' in its config\.json"
    ):
        checkpoint("gpt2")


def test_what_agrees_stays_as_it_is(checkpoint, tmp_path):
    folder = checkpoint("bert", {"pad_token_id": 1}, pad_token="<pad>")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (folder / name).read_bytes() == (tmp_path / "origin" / name).read_bytes()
