"""Why jobs run: Snakemake's reasons, a sentence a job, as a few causes with the number of jobs that each brings about."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from constrictor.scheduling.formatting import flat, spell_value
from constrictor.scheduling.jobs import Job
from constrictor.scheduling.snakemake_records import CODE_DIGEST

FOLLOWS = "follow from what others make"
_PARAMS = re.compile(r"before: (?P<before>.*?)(?:\s+now: )(?P<now>.*?)\s*(?:; Software|$)")
_PLAIN = {
    "Forced execution": "asked for on the command line",
    "Incomplete output files": "an earlier run was killed while they ran",
    "Updated input files": "a file that they read has changed: {files}",
    "Set of input files has changed": "other models or data belong to their input",
    "Software environment": "the software environment has changed",
    "Missing output files": "what they make is not there",
}


def count_causes(reasons: Iterable[tuple[Job, str]]) -> list[tuple[str, int]]:
    """Causes and the number of jobs that each brings about, what sets things going first.

    Args:
        reasons: jobs with what Snakemake says of them.
    """
    counts = Counter(cause_of(job, reason) for job, reason in reasons)
    return sorted(counts.items(), key=lambda found: (found[0] == FOLLOWS, -found[1]))


def cause_of(job: Job, reason: str) -> str:
    """The cause of one job; where there are several, the one that a person can do most about.

    >>> job = Job("evaluate", {"name": "reviews"}, benchmark=None)
    >>> cause_of(job, "Missing output files: a.json; Input files updated by another job: b.json")
    'what they make is not there'
    >>> cause_of(job, "Updated input files: reviews.csv")
    'a file that they read has changed: reviews.csv'
    """
    if found := _PARAMS.search(reason):
        return _changed_params(job, _literals(found["before"]), _literals(found["now"]))
    for sign, cause in _PLAIN.items():
        if sign in reason:
            files = reason.partition(f"{sign}: ")[2].partition(";")[0]
            return cause.format(files=_some(files.split(", ")))
    return FOLLOWS


def _some(files: list[str]) -> str:
    return ", ".join(files[:2]) + (f" and {len(files) - 2} more" if len(files) > 2 else "")


def _literals(text: str) -> list[Any]:
    """The values that Snakemake has joined by commas; none if they cannot be read."""
    try:
        return ast.literal_eval(f"[{text}]")
    except (ValueError, SyntaxError):
        return []


def _changed_params(job: Job, before: list[Any], now: list[Any]) -> str:
    old, new = _settings(before), _settings(now)
    if old is not None and new is not None:
        # A step is called by its name, and so all its replicates together.
        name = job.wildcards.get("lineage", "").rpartition("/")[2] or job.wildcards.get("name") or job.rule
        return f"settings of {name} have changed: {_difference(old, new)}"
    if all(
        any(isinstance(value, str) and CODE_DIGEST.fullmatch(value) for value in values) for values in (before, now)
    ):
        return f"the code of {job.rule} has changed"
    return f"what {job.rule} is told has changed"


def _settings(values: list[Any]) -> dict[str, Any] | None:
    """The mapping among a job's parameters, which they hold as JSON."""
    for value in values:
        if isinstance(value, str) and value.startswith("{"):
            return flat(json.loads(value))
    return None


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What differs, key by key.

    >>> _difference({"alpha": 0.5, "epochs": 3}, {"alpha": 0.9, "epochs": 3, "lr": 0.1})
    'alpha 0.5 → 0.9, lr – → 0.1'
    """
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    spelled = [f"{key} {spell_value(before.get(key))} → {spell_value(now.get(key))}" for key in keys[:3]]
    return ", ".join(spelled + ([f"and {len(keys) - 3} more"] if len(keys) > 3 else []))
