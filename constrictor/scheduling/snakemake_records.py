"""Snakemake's record of an output file, in ``.snakemake/metadata``: rule, command, input, parameters, times."""

from __future__ import annotations

import ast
import json
import os
import re
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any, NamedTuple

_FOLDER = Path(".snakemake/metadata")
CODE_DIGEST = re.compile("[0-9a-f]{16}")  # as :func:`constrictor.scheduling.code_digest.code_digest` gives it


class Record(NamedTuple):
    """The job that made a file.

    Attributes:
        rule: the rule.
        reads: its input files.
        logs: its log files.
        command: what ran.
        code: digest of its code.
        started: when it began, in seconds since 1970.
        ended: when the file was finished.
    """

    rule: str
    reads: list[str]
    logs: list[str]
    command: str
    code: str | None
    started: float | None
    ended: float | None


def record_of(file: str) -> Record | None:
    """The record of a file; None if there is none, or if it cannot be read."""
    try:
        found = json.loads(_record_file(file).read_text(encoding="utf-8"))
        return Record(
            str(found["rule"]),
            list(dict.fromkeys(found.get("input") or [])),
            list(found.get("log") or []),
            (found.get("shellcmd") or "").strip(),
            _code_in(found.get("params") or []),
            found.get("starttime"),
            found.get("endtime"),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record_file(file: str) -> Path:
    """The path of a record: the file's path in base64, split where it is too long for the name of a file."""
    name = urlsafe_b64encode(file.encode()).decode()
    width = os.pathconf("/", "PC_NAME_MAX") - 1
    parts = [name[start : start + width] for start in range(0, len(name), width)]
    return _FOLDER.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])


def _code_in(params: list[Any]) -> str | None:
    """The digest among the parameters of a job, which are recorded without their names."""
    values = (ast.literal_eval(text) for text in params if isinstance(text, str) and text.startswith("'"))
    return next((value for value in values if CODE_DIGEST.fullmatch(value)), None)
