"""Runs that are stopped by their user, that lose their Snakemake, or that meet another one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from little import TEACHER, artifacts, errors_on, leftovers, log_of, processes_in, training_met_at_work, wait_for
from workbench import Workbench, end, processes_below

Row = Callable[[str, str, str], None]


def assert_went_on_to(manifest: bytes, bench: Workbench) -> None:
    """The last run went on from a checkpoint, gave this manifest and left nothing over."""
    assert "resuming from checkpoint-" in log_of(bench)
    assert bench.path(TEACHER).read_bytes() == manifest
    assert leftovers(bench) == []
    assert processes_in(bench) == []


def test_ctrl_c_ends_a_training_at_once_and_the_next_run_goes_on(
    long_training: Workbench, long_undisturbed: bytes, tmp_path: Path, row: Row
) -> None:
    bench = long_training.copy_to(tmp_path / "bench")
    with training_met_at_work(bench) as process:
        start = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        screen, _ = process.communicate(timeout=60)
        seconds = time.monotonic() - start
    assert process.returncode != 0
    assert not bench.path(TEACHER).exists()  # it did not wait until the model was trained
    assert processes_in(bench) == []
    assert "Traceback" not in screen
    assert "Interrupted. The same command goes on from here." in log_of(bench)
    bench.build("--", TEACHER, cores=1)  # without unlocking
    assert_went_on_to(long_undisturbed, bench)
    row(
        "Ctrl-C while a model is trained",
        f"all processes ended within {seconds:.0f} s; the same command went on from the last checkpoint to the same model",
        "what was trained since that checkpoint (a minute at most) was computed again",
    )


def test_a_training_that_lost_its_snakemake_is_not_disturbed_by_another(
    long_training: Workbench, long_undisturbed: bytes, tmp_path: Path, row: Row
) -> None:
    bench = long_training.copy_to(tmp_path / "bench")
    try:
        with training_met_at_work(bench) as process:
            process.kill()
            process.wait(timeout=60)
            (orphan,) = [found for found in processes_in(bench) if "workflow_scripts.finetune" in found.cmdline()]
            orphan.suspend()  # else it could end before the other run comes to it
            bench.build("--unlock")
            code, screen = bench.snakemake("--", TEACHER, cores=1)
            assert code == 1
            messages = errors_on(screen)
            assert len(messages) == 1, screen
            assert f"process {orphan.pid} is at work in" in messages[0]
            assert f"kill {orphan.pid}" in messages[0]
            orphan.kill()
            psutil.wait_procs([orphan], timeout=60)
    finally:
        for found in processes_in(bench):
            found.kill()
    wait_for(lambda: not processes_in(bench))
    bench.build("--", TEACHER, cores=1)
    assert_went_on_to(long_undisturbed, bench)
    row(
        "SIGKILL for Snakemake alone, whose training lives on, then the same command again",
        "the second training was refused with the number of the process to wait for or to end; then it went on to the "
        "same model",
        "nothing",
    )


def test_two_runs_at_once(long_training: Workbench, long_undisturbed: bytes, tmp_path: Path, row: Row) -> None:
    bench = long_training.copy_to(tmp_path / "bench")
    first = bench.start("--", TEACHER, cores=1)
    try:
        wait_for(lambda: processes_below(first.pid, "finetune"), first)
        code, screen = bench.snakemake("--", TEACHER, cores=1)
        assert first.poll() is None, "the first run ended too soon"
        said, _ = first.communicate(timeout=300)
    finally:
        end(first)
    assert code == 1
    assert screen.count("Error: Directory cannot be locked.") == 1
    assert "Traceback" not in screen
    assert first.returncode == 0, said
    assert bench.path(TEACHER).read_bytes() == long_undisturbed
    assert artifacts(bench) == artifacts(long_training) | {TEACHER: artifacts(bench)[TEACHER]}
    row(
        "two runs of the same study at once",
        "the second ended at once with Snakemake's message about its lock; the first was not disturbed",
        "nothing",
    )
