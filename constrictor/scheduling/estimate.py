"""How long a job will take and how much memory it will hold: from its last run, its like, or the size of the model.

A job that ran before takes what it took. Of a job that did not, the guess from the model's size is multiplied by what the
finished jobs of the same rule took against their guesses (the median), so that after a job or two the estimates are those
of this machine. Only a study's first jobs rest on the guess alone, which may be off by a factor of five.

These are expectations; what a job *asks* of a queue is more (:mod:`constrictor.scheduling.resources`).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

from constrictor.scheduling.jobs import Job, work_of
from constrictor.scheduling.resources import Stage, Work, estimated_mb, measured, needs, operations
from constrictor.scheduling.workload import Workload

Basis = Literal["last run", "its like", "size"]

# ASSUME: as the default study took on two Zen 5 cores with bf16, its texts filling a quarter of `max_length`; a GPU from
# 2018 does sixty times as much as one such core.
_OPERATIONS_PER_SECOND = {"core": 1e12, "gpu": 6e13}
_FIXED_SECONDS: dict[Stage, float] = {
    "read": 2,
    "fetch": 2,
    "train": 10,
    "label": 8,
    "evaluate": 8,
    "convert": 12,
    "time": 50,
    "compare": 5,
}
_USED_OF_ASKED = 0.5  # the estimate that a queue is told is 1.5 to 2.5 times what the default study's jobs used


class Estimate(NamedTuple):
    """Seconds and megabytes, and what they rest on."""

    seconds: float
    memory_mb: float
    basis: Basis


class Estimator:
    """Estimates the jobs of a study.

    Args:
        workload: how much work each job is.
        finished: the jobs that left a benchmark table.
        cores: cores that one job may have.
    """

    def __init__(self, workload: Workload, finished: Sequence[Job], cores: int) -> None:
        self._workload = workload
        self._cores = cores
        self._measured = {job.benchmark: found for job in finished if (found := measured_cost(job))}
        ratios: dict[str, list[tuple[float, float]]] = {}
        for job in finished:
            if found := self._measured.get(job.benchmark):
                guess = self.from_size(job)
                ratio = found.seconds / guess.seconds, found.memory_mb / guess.memory_mb
                ratios.setdefault(job.rule, []).append(ratio)
        self._ratios = {rule: tuple(map(median, zip(*found, strict=True))) for rule, found in ratios.items()}

    def __call__(self, job: Job) -> Estimate:
        """What a job is expected to take."""
        if found := self._measured.get(job.benchmark):
            return found
        guess = self.from_size(job)
        if job.rule not in self._ratios:
            return guess
        seconds, memory = self._ratios[job.rule]
        return Estimate(guess.seconds * seconds, guess.memory_mb * memory, "its like")

    def from_size(self, job: Job) -> Estimate:
        """What the size of the model and the number of rows let expect."""
        work = work_of(self._workload, job)
        return Estimate(expected_seconds(work, self._cores), _USED_OF_ASKED * estimated_mb(work), "size")


def measured_cost(job: Job) -> Estimate | None:
    """What a job took when it last ran; None if its table is lost, or says nothing, as of a very short job."""
    seconds, peak = measured(job.benchmark, "s"), measured(job.benchmark, "max_rss")
    return None if seconds is None or peak is None else Estimate(seconds, peak, "last run")


def expected_seconds(work: Work, cores: int) -> float:
    """Seconds that a job takes, by its stage, the size of the model and the number of rows.

    >>> round(expected_seconds(Work("train", parameters=22_700_000, rows=20_500), cores=2))
    189
    """
    threads = max(1, min(needs(work).threads, cores))
    speed = _OPERATIONS_PER_SECOND["gpu"] if work.gpu else _OPERATIONS_PER_SECOND["core"] * threads
    return _FIXED_SECONDS[work.stage] + operations(work) / speed
