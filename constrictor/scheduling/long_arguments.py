"""Parameters that are too long for a command line reach their script in a file."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

from constrictor.files.writing import write_text

FOLDER = Path(".snakemake/constrictor/arguments")
LONGEST = 30_000
"""Bytes of one argument. Linux takes 128 KiB for all that a shell is to run, which may be two such arguments and file names."""


def argument(text: str) -> str:
    """A parameter as an argument: the text itself, or if it is too long, `@` and a file with the text.

    The file is named after its content, so other content is another parameter.

    >>> argument('{"epochs":3}')
    '{"epochs":3}'
    """
    if len(text) < LONGEST // 5 or len(shlex.quote(text).encode()) <= LONGEST:
        return text
    file = FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    if not file.is_file():
        write_text(file, text)
    return f"@{file}"
