"""Python code that a model brings along is not run: not when it is fetched, not when it is opened, not on demand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from heads import load_classifier

from constrictor.errors import ConstrictorError
from constrictor.models.source import fetch_model
from constrictor.study.sources import LocalModel

AUTO_MAP = {name: f"code.{name}" for name in ("AutoConfig", "AutoModel", "AutoModelForSequenceClassification")}


@pytest.fixture
def scripted(tiny_checkpoint: Path, tmp_path: Path, trap) -> Path:
    """A checkpoint with code that touches the trap as soon as it is imported."""
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "origin"))
    (folder / "code.py").write_text(f"open({str(trap.file)!r}, 'w')\n", encoding="utf-8")
    tokenizer = {"tokenizer_class": "Odd", "auto_map": {"AutoTokenizer": ["code.Odd", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


def change(folder: Path, **settings) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "auto_map": AUTO_MAP, **settings}), "utf-8")


def test_model_that_only_its_own_code_can_run_is_refused(scripted):
    change(scripted, model_type="homemade")
    with pytest.raises(ConstrictorError, match=r"only Python code.*never run; no setting allows it"):
        fetch_model(LocalModel(path=str(scripted)), scripted.parent / "model")


def test_of_a_supported_model_the_code_is_dropped(scripted):
    change(scripted)
    manifest = fetch_model(LocalModel(path=str(scripted)), scripted.parent / "model")
    assert "code.py" not in manifest.files
    for name in ("config.json", "tokenizer_config.json"):
        assert "auto_map" not in (scripted.parent / "model" / name).read_text(encoding="utf-8")
    assert load_classifier(scripted.parent / "model", ["a", "b"], 32).config.model_type == "bert"


@pytest.mark.parametrize("kind", ["bert", "clip", "homemade"])
def test_opening_a_model_neither_runs_its_code_nor_prompts(scripted, monkeypatch, kind):
    """A classifier of CLIP is unknown to transformers, so that it would ask whoever sits at the terminal."""
    change(scripted, model_type=kind)
    monkeypatch.setattr("builtins.input", lambda prompt="": pytest.fail("the user was asked"))
    if kind == "bert":
        load_classifier(scripted, ["a", "b"], 32)
        return
    with pytest.raises(ConstrictorError, match="cannot be opened as a text classifier"):
        load_classifier(scripted, ["a", "b"], 32)
