"""The files that the index of sharded weights names."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from constrictor.errors import ConstrictorError


def read_json_of(origin: object, file: Path) -> dict[str, Any]:
    """An object in a JSON file of a checkpoint.

    Raises:
        ConstrictorError: if the file holds no object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except (ValueError, RecursionError) as error:
        raise ConstrictorError(f"{origin}: {file.name} is damaged ({error}). Fetch the model again.") from None
    return content


def read_index(origin: object, index: Path, shards: str) -> dict[str, str]:
    """The file of each tensor of sharded weights.

    Args:
        origin: the checkpoint, as messages name it.
        index: the index; the files lie beside it.
        shards: pattern of their names.

    Raises:
        ConstrictorError: a damaged index, one that names files elsewhere or of another kind, a missing file.
    """
    files = read_json_of(origin, index).get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(file, str) for file in files.values()):
        raise ConstrictorError(
            f"{origin}: {index.name} is damaged (its 'weight_map' names no files). Fetch the model again."
        )
    for file in sorted(set(files.values())):
        if "/" in file or not fnmatch(file, shards):
            raise ConstrictorError(
                f"{origin}: {index.name} names '{file}', and only files beside it that are called {shards} hold its weights. "
                "Nothing else is opened."
            )
        if not (index.parent / file).is_file():
            raise ConstrictorError(f"{origin} holds a part of the weights only: {file} is missing. Fetch it again.")
    return files
