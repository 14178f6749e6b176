"""What earlier plans said of each job, kept in ``reports/<study>/plan.json``, to be held against what the jobs took."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

from constrictor.files.reading import read_object
from constrictor.files.writing import write_text
from constrictor.scheduling.estimate import Estimate
from constrictor.scheduling.jobs import Job

Promises = dict[str, dict[str, float]]
"""By benchmark table: `seconds`, `memory_mb`, and when it was said (`at`, seconds since 1970)."""


def promises_file(study: str) -> Path:
    """Where the promises of a study lie."""
    return Path("reports", study, "plan.json")


def read_promises(file: Path) -> Promises:
    """What was said before; nothing if there was no plan, or if its file cannot be used."""
    return read_object(file)


def write_promises(file: Path, earlier: Promises, estimates: Iterable[tuple[Job, Estimate]]) -> None:
    """Add what is said now of the jobs that are to run to what was said of others."""
    said = {
        str(job.benchmark): {"seconds": round(found.seconds, 1), "memory_mb": round(found.memory_mb), "at": time.time()}
        for job, found in estimates
    }
    write_text(file, json.dumps({**earlier, **said}, indent=1) + "\n")


def kept_promise(promises: Promises, job: Job) -> float | None:
    """Seconds that were promised of a job before it last ran; None if nothing was."""
    said = promises.get(str(job.benchmark))
    try:
        ran = job.benchmark.stat().st_mtime
    except OSError:
        return None
    return said["seconds"] if said and said["at"] <= ran else None
