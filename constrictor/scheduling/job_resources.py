"""The resources of every rule, as the functions of wildcards and attempt that Snakemake calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from constrictor.scheduling.benchmark_tables import measured
from constrictor.scheduling.resources import resources_of
from constrictor.scheduling.wildcards import Wildcards
from constrictor.scheduling.workload import Workload


class JobResources:
    """What the jobs of a study request.

    Args:
        workload: how much work each job is.
    """

    def __init__(self, workload: Workload) -> None:
        self._workload = workload

    def threads(self, rule: str) -> Callable[[Wildcards], int]:
        """The threads of a rule's jobs."""
        return lambda wildcards: resources_of(self._workload.of(rule, wildcards)).threads

    def of(self, rule: str, benchmark: str) -> dict[str, Callable[..., int]]:
        """Memory, time and GPUs of a rule's jobs.

        Args:
            rule: its name.
            benchmark: pattern of its benchmark table: a peak that was measured there replaces the estimate of the memory.
        """

        def mem_mb(wildcards: Wildcards, attempt: int) -> int:
            peak = measured(Path(benchmark.format_map(vars(wildcards))), "max_rss")
            return resources_of(self._workload.of(rule, wildcards), attempt, peak).mem_mb

        def runtime(wildcards: Wildcards, attempt: int) -> int:
            return resources_of(self._workload.of(rule, wildcards), attempt).runtime

        def gpu(wildcards: Wildcards) -> int:
            return resources_of(self._workload.of(rule, wildcards)).gpu

        return {"mem_mb": mem_mb, "runtime": runtime, "gpu": gpu}
