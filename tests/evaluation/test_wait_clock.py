import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from constrictor.evaluation import wait_clock
from constrictor.evaluation.wait_clock import WaitClock
from constrictor.evaluation.workers import Worker
from constrictor.runtimes.timing import milliseconds


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A function that sets what the system counts: nanoseconds of each thread's waiting, and stolen ticks by processor."""
    monkeypatch.setattr(wait_clock, "_THREADS", tmp_path / "task")
    monkeypatch.setattr(wait_clock, "_PROCESSORS", tmp_path / "stat")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2})
    computed = [0.0]
    monkeypatch.setattr(time, "process_time", lambda: computed[0])

    def counts(delays: list[int], stolen: tuple[int, ...] = (0, 0, 0), seconds: float = 0.0, starts: int = 7) -> None:
        for thread, delay in enumerate(delays):
            (tmp_path / "task" / str(thread)).mkdir(parents=True, exist_ok=True)
            (tmp_path / "task" / str(thread) / "schedstat").write_text(f"5 {delay} {starts}\n", encoding="utf-8")
        lines = ["cpu  1 1 1 1 1 1 1 999 0 0", *(f"cpu{n} 1 1 1 1 1 1 1 {ticks} 0 0" for n, ticks in enumerate(stolen))]
        (tmp_path / "stat").write_text("\n".join([*lines, "intr 5 0 0", ""]), encoding="utf-8")
        computed[0] = seconds

    return counts


def test_waiting_is_that_of_all_threads_and_of_a_processor_that_another_machine_has(system):
    system([10**9, 0])
    clock = WaitClock(threads=2)
    tick = 1 / os.sysconf("SC_CLK_TCK")
    system([2 * 10**9, 10**9], (5, 900, 7), seconds=2.0)  # processor 1 is not ours
    assert clock.share() == pytest.approx((2 + 12 * tick) / (2 + 12 * tick + 2), abs=1e-4)


def test_the_time_to_wake_up_is_no_waiting(system):
    system([0], starts=0)
    clock = WaitClock(threads=1)
    system([1000 * 30_000], starts=1000, seconds=1.0)  # 30 microseconds each time
    assert clock.share() == 0
    system([1000 * 1_050_000], starts=1000, seconds=1.0)  # a millisecond more
    assert clock.share() == pytest.approx(0.5, abs=1e-3)


def test_more_threads_than_processors_wait_for_one_another(system):
    system([0])
    clock = WaitClock(threads=3)
    system([10**9], seconds=1.0)
    assert clock.share() == 0


def test_a_system_that_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(wait_clock, "_THREADS", tmp_path / "none")
    monkeypatch.setattr(wait_clock, "_PROCESSORS", tmp_path / "none")
    assert WaitClock(threads=1).share() == 0


@pytest.fixture
def load():
    """Processes that keep every processor busy, each twice."""
    processes = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * len(os.sched_getaffinity(0)))
    ]
    yield
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").is_file(), reason="this system does not count how long threads wait"
)
def test_a_model_on_a_busy_machine_is_found_to_wait(load, tiny_onnx):
    with Worker(tiny_onnx, ["the film was great"], 1) as worker:
        found = worker.time(4, 32, 0.5)
    assert found.waiting > 0.2
    clock = WaitClock(threads=1)
    milliseconds([lambda: sum(range(1000))], 0.3)
    assert clock.share() > 0.2
