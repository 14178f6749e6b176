import json
import shutil
from pathlib import Path

import pytest
import tokenizers
from transformers import AutoTokenizer

from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.models import tokenizer_config
from constrictor.models.source import fetch_model
from constrictor.study.sources import LocalModel

TEXTS = ["The Film was GREAT , Indeed", "a café"]


@pytest.fixture
def origin(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, whose tokenizer lowers the case, with a tokenizer_config.json."""
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "origin"))
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def _fetch(origin: Path) -> Path:
    fetch_model(LocalModel(path=str(origin)), origin.parent / "model")
    return origin.parent / "model"


def _change(file: Path, **values) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def _assert_read_alike(folder: Path) -> None:
    ours, theirs = Tokenizer(folder, 64), AutoTokenizer.from_pretrained(folder)
    assert [tokens.tolist() for tokens in ours.encode(TEXTS)] == theirs(TEXTS)["input_ids"]


def test_files_that_agree_stay_as_they_are(origin):
    folder = _fetch(origin)
    assert (folder / "tokenizer_config.json").read_bytes() == (origin / "tokenizer_config.json").read_bytes()
    _assert_read_alike(folder)


@pytest.mark.parametrize("key", ["do_lower_case", "tokenize_chinese_chars"])
def test_a_contradiction_is_settled_for_tokenizer_json_and_announced(origin, capsys, key):
    """transformers lets the other file decide: half of a model's predictions came out differently there."""
    _change(origin / "tokenizer_config.json", **{key: False})
    folder = _fetch(origin)
    assert "tokenizer_config.json is rewritten, since it contradicts tokenizer.json: '" in capsys.readouterr().out
    _assert_read_alike(folder)
    opened = AutoTokenizer.from_pretrained(folder)
    assert (opened.model_max_length, opened.mask_token, opened.pad_token) == (64, "[MASK]", "[PAD]")
    assert "token_type_ids" in opened(TEXTS)


def test_inputs_of_the_model_stay_those_of_its_class(origin):
    _change(origin / "config.json", model_type="distilbert")
    _change(origin / "tokenizer_config.json", tokenizer_class="DistilBertTokenizer", do_lower_case=False)
    opened = AutoTokenizer.from_pretrained(_fetch(origin))
    assert set(opened(TEXTS)) == {"input_ids", "attention_mask"}


def test_a_class_that_transformers_does_not_know_is_replaced(origin):
    _change(origin / "tokenizer_config.json", tokenizer_class="OwnTokenizer")
    _assert_read_alike(_fetch(origin))


def test_what_cannot_be_settled_is_refused(origin, monkeypatch):
    _change(origin / "tokenizer_config.json", do_lower_case=False)
    monkeypatch.setattr(tokenizer_config, "_follow_tokenizer", lambda folder: None)
    with pytest.raises(
        ConstrictorError, match=r"transformers does not read the tokenizer as tokenizer\.json describes it"
    ):
        _fetch(origin)


def test_a_token_without_an_embedding_leaves_the_tokenizer(origin, capsys):
    rows = json.loads((origin / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    tokenizer = tokenizers.Tokenizer.from_file(str(origin / "tokenizer.json"))
    tokenizer.add_tokens(["[URL]"])
    tokenizer.save(str(origin / "tokenizer.json"))
    folder = _fetch(origin)
    assert "the tokenizer loses [URL], which the model has no embedding for" in capsys.readouterr().out
    assert Tokenizer(folder, 64).encode(["the film [URL]"])[0].max() < rows
    _assert_read_alike(folder)


def test_a_vocabulary_beyond_the_embeddings_is_another_models(origin):
    _change(origin / "config.json", vocab_size=20)
    with pytest.raises(
        ConstrictorError, match=r"tokens and the model has embeddings for 20\. Put the model's own tokenizer"
    ):
        _fetch(origin)
