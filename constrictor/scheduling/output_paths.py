"""Paths of outputs: what they belong to, which command makes them, and the nearest one where a file does not exist."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import NamedTuple

from constrictor.models.manifest import MANIFEST
from constrictor.study.replicate import Replicate


class OutputPath(NamedTuple):
    """What an output belongs to, by its path; empty where it belongs to no task or model."""

    study: str
    task: str = ""
    replicate: str = ""
    lineage: str = ""

    @property
    def node(self) -> Path:
        """The folder of the model."""
        return Path("results", self.study, self.task, self.replicate, self.lineage)

    @property
    def task_manifest(self) -> Path:
        """The manifest of the prepared task, as the replicate sees it."""
        fold = Replicate.parse(self.replicate).fold if self.replicate else None
        return Path("data", self.study, "tasks", self.task, "" if fold is None else f"fold{fold}", MANIFEST)


def parse_output_path(file: Path) -> OutputPath | None:
    """What an output belongs to; None if it is no output.

    >>> parse_output_path(Path("data/quickstart/tasks/reviews/train.parquet"))
    OutputPath(study='quickstart', task='reviews', replicate='', lineage='')
    """
    top, *parts = file.parts
    if top not in ("data", "results", "reports") or len(parts) < 2:
        return None
    if top == "reports":
        return OutputPath(parts[0], parts[1] if len(parts) > 2 else "")
    if top == "data":
        return OutputPath(parts[0], parts[2] if parts[1] == "tasks" and len(parts) > 3 else "")
    for folder in list(file.parents)[:-5]:  # all below results/<study>/<task>/<replicate>
        if (folder / "model").is_dir() or (folder / "logs").is_dir():
            study, task, replicate, *steps = folder.parts[1:]
            return OutputPath(study, task, replicate, "/".join(steps))
    return None


def command_for(output: OutputPath, file: Path) -> str:
    """The call of Snakemake that makes a file again, even if nothing has changed."""
    named = re.compile(rf"^name: *['\"]?{re.escape(output.study)}['\"]? *(#.*)?$", re.MULTILINE)
    studies = [Path("config.yaml"), *sorted(Path("studies").rglob("*.yaml"))]
    found = [str(study) for study in studies if study.is_file() and named.search(study.read_text(encoding="utf-8"))]
    which = "" if "config.yaml" in found else f" --configfile {found[0] if found else 'YOUR_STUDY.yaml'}"
    return f"snakemake{which} --force -- {file}"


def nearest_file(file: Path) -> str:
    """The name in an existing folder that is nearest to a missing file's."""
    folder = next(parent for parent in file.parents if parent.is_dir())
    known = [str(path) for path in folder.rglob("*") if path.is_file()] if folder != Path() else []
    close = difflib.get_close_matches(str(file), known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else f"The nearest folder that exists is {folder}."
