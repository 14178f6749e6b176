"""Read files that an earlier step wrote, and report when one is missing or is not what was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from constrictor.errors import ConstrictorError

T = TypeVar("T")


def refuse_missing(file: Path) -> None:
    """Refuse a file that an earlier step should have written and that is not there.

    Raises:
        ConstrictorError: if it is not there.
    """
    if not file.is_file():
        raise ConstrictorError(
            f"{file} is missing: it was deleted, or never made. Run snakemake again, which makes what is missing."
        )


def read_parsed(file: Path, parse: Callable[[str], T]) -> T:
    """The content of a text file.

    Args:
        file: the file.
        parse: makes something of its text, or raises a ValueError: `json.loads`, a settings model.

    Raises:
        ConstrictorError: if it is missing, or cannot be made sense of, since it was changed or cut off.
    """
    refuse_missing(file)
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConstrictorError(
            f"{file} is not what was written: its content was changed or cut off ({type(error).__name__}). "
            f"Delete it and run snakemake again: rm {file}"
        ) from None


def read_object(file: Path) -> dict[str, Any]:
    """The keys and values of a JSON file; none if it is not there, cannot be read, or holds something else."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
