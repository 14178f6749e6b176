"""How long a process waits for a processor while it is timed: the sign that other processes compute on the same ones.

Linux counts for each thread how long it was ready to run and did not (`run_delay` in ``/proc/<pid>/task/<tid>/schedstat``),
and for each processor how long the hypervisor gave it to another machine (`steal` in ``/proc/stat``). Where the system
counts neither, the share is 0. The first count includes the time that it takes to wake a thread on an idle processor, which is
short, while a thread that waits for another one waits for milliseconds.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")
_PROCESSORS = Path("/proc/stat")
_STEAL = 8  # its field in a line of /proc/stat

WAKE_UP_SECONDS = 50e-6
"""What is taken for the time to wake a thread, a virtual machine's processor included, each time that it starts to run."""


class WaitClock:
    """Counts from when it was made."""

    def __init__(self, threads: int) -> None:
        """Start to count.

        Args:
            threads: threads that compute. More of them than processors wait for one another, which is not counted.
        """
        self._processors = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        self._counts = threads <= len(self._processors)
        self._start = self._now()

    def share(self) -> float:
        """Share of the time that the threads waited for a processor, of that in which they wanted one."""
        waited, computed = (now - start for now, start in zip(self._now(), self._start, strict=True))
        return round(max(0.0, waited) / max(waited + computed, 1e-9), 4) if self._counts else 0.0

    def _now(self) -> tuple[float, float]:
        """Seconds that all threads together have waited, and have computed."""
        return _delayed() + _stolen(self._processors), time.process_time()


def _delayed() -> float:
    seconds = 0.0
    for thread in _THREADS.iterdir() if _THREADS.is_dir() else ():
        with suppress(OSError, ValueError):  # the thread has ended, or the kernel does not count
            _, nanoseconds, starts = map(int, (thread / "schedstat").read_text(encoding="utf-8").split())
            seconds += nanoseconds / 1e9 - starts * WAKE_UP_SECONDS
    return seconds


def _stolen(processors: set[int]) -> float:
    with suppress(OSError):
        lines = map(str.split, _PROCESSORS.read_text(encoding="utf-8").splitlines())
        names = {f"cpu{number}" for number in processors}
        ticks = sum(int(line[_STEAL]) for line in lines if line and line[0] in names)
        return ticks / os.sysconf("SC_CLK_TCK")
    return 0.0
