"""The tokenizer's files in a model's folder. Imports no torch: ONNX models have them too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from constrictor.data.tokenization import TOKENIZER

_FILES = (TOKENIZER, "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy the tokenizer's files from one model folder to another."""
    for name in _FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def replace_tokenizer(folder: Path, text: str) -> None:
    """Put other content into a folder's ``tokenizer.json``, and remove what refers to the old numbers of tokens."""
    (folder / TOKENIZER).write_text(text, encoding="utf-8")
    (folder / "vocab.txt").unlink(missing_ok=True)
    config = folder / "tokenizer_config.json"
    if config.is_file():
        settings = json.loads(config.read_text(encoding="utf-8"))
        settings.pop("added_tokens_decoder", None)
        config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
