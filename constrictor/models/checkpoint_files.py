"""Which files of a checkpoint are copied. Read while planning too, so nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

WEIGHTS = "*.safetensors"
WANTED = (
    *("config.json", WEIGHTS, "*.safetensors.index.json"),
    *("tokenizer*", "vocab*", "merges.txt", "special_tokens*", "added_tokens.json", "*.model"),
)
"""Patterns of the configuration, the weights and the tokenizer."""

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")
"""Patterns of files that can hold code; they are never copied."""

PICKLED_INDEX = "pytorch_model.bin.index.json"
PICKLED_WEIGHTS = ("pytorch_model.bin", "pytorch_model-*.bin", PICKLED_INDEX)
"""Patterns of the pickled weights that can be converted, and of their index."""


def wanted_files(folder: Path) -> list[Path]:
    """The files of a folder that belong to its checkpoint, each once."""
    found = _matching(folder, WANTED)
    return [file for file in found if not any(fnmatch(file.name, pattern) for pattern in PICKLES)]


def files_read(folder: Path, convert_pickle: bool) -> list[Path]:
    """The files that fetching a checkpoint reads: those that are copied, and the pickled weights if they are converted."""
    converted = convert_pickle and not _matching(folder, [WEIGHTS])
    return wanted_files(folder) + (_matching(folder, PICKLED_WEIGHTS) if converted else [])


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    found = {file for pattern in patterns for file in folder.glob(pattern)}
    return sorted(file for file in found if file.is_file())
