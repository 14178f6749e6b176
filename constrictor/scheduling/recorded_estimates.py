"""The estimates of earlier plans, recorded in ``reports/<study>/plan.json``, to be compared with what the jobs took."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from constrictor.files.reading import read_object
from constrictor.files.writing import write_json
from constrictor.scheduling.estimate import Estimate
from constrictor.scheduling.jobs import Job

RecordedEstimates = dict[str, dict[str, float]]
"""By benchmark table: `seconds`, `memory_mb`, and when they were estimated (`estimated_at`, seconds since 1970)."""


def estimates_file(study: str) -> Path:
    """The file of a study's recorded estimates."""
    return Path("reports", study, "plan.json")


def read_estimates(file: Path) -> RecordedEstimates:
    """The recorded estimates; empty if there is no file, or if it cannot be read."""
    return read_object(file)


def write_estimates(file: Path, earlier: RecordedEstimates, estimates: Iterable[tuple[Job, Estimate]]) -> None:
    """Record new estimates, and keep the earlier ones of other jobs."""
    new = {
        str(job.benchmark): {
            "seconds": round(found.seconds, 1),
            "memory_mb": round(found.memory_mb),
            "estimated_at": time.time(),
        }
        for job, found in estimates
    }
    write_json(file, {**earlier, **new})


def estimate_before_run(recorded: RecordedEstimates, job: Job) -> float | None:
    """The seconds that were estimated of a job before it last ran; None if there is no such estimate."""
    found = recorded.get(str(job.benchmark))
    try:
        ran = job.benchmark.stat().st_mtime
        return found["seconds"] if found and found["estimated_at"] <= ran else None
    except (OSError, KeyError):  # it has not run, or the file is of another version
        return None
