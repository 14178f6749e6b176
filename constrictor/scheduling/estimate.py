"""How long a job will take and how much memory it will hold: from its last run, similar jobs, or the size of the model.

A job that ran before is expected to take the same again. For one that did not, the estimate from the model's size is
multiplied by the median ratio of measured to estimated cost among the finished jobs of the same rule, so that after a job or
two the estimates are those of this machine. Only a study's first jobs rest on the size alone, which may be off by a factor
of five.

These are expectations; what a job *requests* of a queue is more (:mod:`constrictor.scheduling.resources`).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

from constrictor.scheduling.benchmark_tables import measured
from constrictor.scheduling.jobs import Job
from constrictor.scheduling.resources import estimated_mb, resources_of
from constrictor.scheduling.wildcards import wildcards_of
from constrictor.scheduling.work import Stage, Work, seconds_of
from constrictor.scheduling.workload import Workload

Basis = Literal["last run", "similar jobs", "model size"]

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
_USED_OF_REQUESTED = 0.5  # a request is 1.5 to 2.5 times what the default study's jobs used


class Estimate(NamedTuple):
    """Seconds and megabytes, and what the estimate is based on."""

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
                by_size = self.from_size(job)
                ratio = found.seconds / by_size.seconds, found.memory_mb / by_size.memory_mb
                ratios.setdefault(job.rule, []).append(ratio)
        self._ratios = {rule: tuple(map(median, zip(*found, strict=True))) for rule, found in ratios.items()}

    def __call__(self, job: Job) -> Estimate:
        """The expected cost of a job."""
        if found := self._measured.get(job.benchmark):
            return found
        by_size = self.from_size(job)
        if job.rule not in self._ratios:
            return by_size
        seconds, memory = self._ratios[job.rule]
        return Estimate(by_size.seconds * seconds, by_size.memory_mb * memory, "similar jobs")

    def from_size(self, job: Job) -> Estimate:
        """The expected cost by the size of the model and the number of examples alone."""
        work = self._workload.of(job.rule, wildcards_of(job.wildcards))
        return Estimate(expected_seconds(work, self._cores), _USED_OF_REQUESTED * estimated_mb(work), "model size")


def measured_cost(job: Job) -> Estimate | None:
    """The cost of a job's last run; None if its benchmark table is missing or holds no numbers."""
    seconds, peak = measured(job.benchmark, "s"), measured(job.benchmark, "max_rss")
    return None if seconds is None or peak is None else Estimate(seconds, peak, "last run")


def expected_seconds(work: Work, cores: int) -> float:
    """Seconds that a job takes, by its stage, the size of the model and the number of examples.

    >>> round(expected_seconds(Work("train", parameters=22_700_000, rows=20_500), cores=2))
    189
    """
    threads = max(1, min(resources_of(work).threads, cores))
    return _FIXED_SECONDS[work.stage] + seconds_of(work, threads, "expected")
