"""Which files of a checkpoint are copied. Read while planning too, so nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path

WANTED = (
    *("config.json", "*.safetensors", "*.safetensors.index.json"),
    *("tokenizer*", "vocab*", "merges.txt", "special_tokens*", "added_tokens.json", "*.model"),
)
"""Patterns of the configuration, the weights and the tokenizer."""


def wanted_files(folder: Path) -> list[Path]:
    """The files of a folder that belong to its checkpoint, each once."""
    found = {file for pattern in WANTED for file in folder.glob(pattern)}
    return sorted(file for file in found if file.is_file())
