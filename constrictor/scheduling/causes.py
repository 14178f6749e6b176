"""Why jobs run: Snakemake's reasons, one for each job, summed up as a few causes with the number of jobs that each starts."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from constrictor.scheduling.formatting import flat, format_value
from constrictor.scheduling.jobs import Job
from constrictor.scheduling.snakemake_records import CODE_DIGEST
from constrictor.scheduling.source_content import CONTENT

FOLLOWS = "an input is made by another job of this run"
_PARAMS = re.compile(r"before: (?P<before>.*?)(?:\s+now: )(?P<now>.*?)\s*(?:; Software|$)")
_PLAIN = {
    "Forced execution": "forced on the command line",
    "Incomplete output files": "an earlier run was interrupted",
    "Updated input files": "an input file has changed: {files}",
    "Set of input files has changed": "the set of input files has changed",
    "Software environment": "the software environment has changed",
    "Missing output files": "outputs are missing",
}


def count_causes(reasons: Iterable[tuple[Job, str]]) -> list[tuple[str, int]]:
    """Causes and the number of jobs that each starts; jobs that follow from others come last.

    Args:
        reasons: jobs with Snakemake's reasons.
    """
    counts = Counter(cause_of(job, reason) for job, reason in reasons)
    return sorted(counts.items(), key=lambda found: (found[0] == FOLLOWS, -found[1]))


def cause_of(job: Job, reason: str) -> str:
    """The cause of one job; of several, the one that the user has most influence on.

    >>> job = Job("evaluate", {"name": "reviews"}, benchmark=None)
    >>> cause_of(job, "Missing output files: a.json; Input files updated by another job: b.json")
    'outputs are missing'
    >>> cause_of(job, "Updated input files: reviews.csv")
    'an input file has changed: reviews.csv'
    """
    if found := _PARAMS.search(reason):
        return _changed_parameters(job, _Parameters.of(found["before"]), _Parameters.of(found["now"]))
    for sign, cause in _PLAIN.items():
        if sign in reason:
            files = reason.partition(f"{sign}: ")[2].partition(";")[0]
            return cause.format(files=_some(files.split(", ")))
    return FOLLOWS


def _some(files: list[str]) -> str:
    return ", ".join(files[:2]) + (f" and {len(files) - 2} more" if len(files) > 2 else "")


class _Parameters(NamedTuple):
    """The parameters of a job that differ, by their kind, since Snakemake reports them without their names.

    Attributes:
        settings: flattened; None if they are not among them.
        plan: that of a training, flattened; None if it is not among them.
        code: whether the digest of the code is among them.
        content: whether the content of the sources is among them.
    """

    settings: dict[str, Any] | None
    plan: dict[str, Any] | None
    code: bool
    content: bool

    @classmethod
    def of(cls, text: str) -> _Parameters:
        """Parse the values, which Snakemake has joined by commas."""
        try:
            values = [value for value in ast.literal_eval(f"[{text}]") if isinstance(value, str)]
        except (ValueError, SyntaxError):
            values = []
        objects = [json.loads(value) for value in values if value.startswith("{")]
        return cls(
            next((flat(found) for found in objects if "sets" not in found), None),
            next((_flat_plan(found) for found in objects if "sets" in found), {} if "null" in values else None),
            any(CODE_DIGEST.fullmatch(value) for value in values),
            any(value.startswith(CONTENT) for value in values),
        )


def _flat_plan(plan: dict[str, Any]) -> dict[str, Any]:
    """A training plan with its sets by the names of their files, so that a set is compared with itself."""
    sets = {Path(part["examples"]).stem: part for part in plan["sets"]}
    return flat({**plan, "sets": sets})


def _changed_parameters(job: Job, before: _Parameters, now: _Parameters) -> str:
    # A step goes by its name, which counts all its replicates together.
    name = job.wildcards.get("lineage", "").rpartition("/")[2] or job.wildcards.get("name") or job.rule
    if before.settings is not None and now.settings is not None:
        return f"settings of {name} have changed: {_difference(before.settings, now.settings)}"
    if before.content and now.content:
        return f"the content of {name} has changed"
    if before.code and now.code:
        return f"the code of {job.rule} has changed"
    if before.plan is not None and now.plan is not None:
        return f"the training plan of {name} has changed: {_difference(before.plan, now.plan)}"
    return f"parameters of {job.rule} have changed"


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What differs, key by key.

    >>> _difference({"alpha": 0.5, "epochs": 3}, {"alpha": 0.9, "epochs": 3, "lr": 0.1})
    'alpha 0.5 → 0.9, lr – → 0.1'
    """
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    changes = [f"{key} {format_value(before.get(key))} → {format_value(now.get(key))}" for key in keys[:3]]
    return ", ".join(changes + ([f"and {len(keys) - 3} more"] if len(keys) > 3 else []))
