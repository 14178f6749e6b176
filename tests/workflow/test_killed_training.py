"""A training that is killed goes on where it was, and ends with the model that an undisturbed one gives."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from workbench import TEACHER, Workbench, end, processes_below

EPOCHS = 40
NODE = Path(TEACHER).parent.parent


@pytest.fixture(scope="module")
def long_training(finished: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The finished study with a teacher that has to be trained again, for long. Copy it; do not run it."""
    bench = finished.copy_to(tmp_path_factory.mktemp("long") / "bench")
    bench.edit("study.yaml", "model: tiny, epochs: 1,", f"model: tiny, epochs: {EPOCHS},")
    return bench


@pytest.fixture(scope="module")
def undisturbed(long_training: Workbench, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The manifest that a training without a kill gives."""
    bench = long_training.copy_to(tmp_path_factory.mktemp("undisturbed") / "bench")
    bench.build("--", TEACHER, cores=1)
    assert "resuming" not in log_of(bench)
    return bench.path(TEACHER).read_bytes()


def log_of(bench: Workbench) -> str:
    return bench.path(str(NODE / "logs/finetune.log")).read_text(encoding="utf-8")


def wait_for(what: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until something is there, as long as the process lives."""
    end = time.monotonic() + 120
    while not what():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "waited for two minutes"
        time.sleep(0.02)


def start_and_kill(bench: Workbench, *, snakemake_too: bool) -> str:
    """Start the training, kill it behind a checkpoint; what Snakemake said until then."""
    checkpoints = bench.path(str(NODE / "checkpoints"))
    process = bench.start("--", TEACHER, cores=1)
    try:
        wait_for(lambda: len(list(checkpoints.glob("checkpoint-*/complete"))) > 1, process)
        scripts = processes_below(process.pid, "finetune")
        assert scripts
        if snakemake_too:
            process.kill()  # first, so that it does not see how its job ends
        for script in scripts:
            script.kill()
        psutil.wait_procs(scripts, timeout=60)
        screen, _ = process.communicate(timeout=120)
    finally:
        end(process)
    assert process.returncode == (-9 if snakemake_too else 1), screen
    assert not bench.path(TEACHER).exists()
    assert list(checkpoints.glob("checkpoint-*/complete")), "the checkpoints are gone"
    return screen


def assert_resumed_to(manifest: bytes, bench: Workbench) -> None:
    """The last run went on from a checkpoint, gave this manifest and left nothing over."""
    assert "resuming from checkpoint-" in log_of(bench)
    assert bench.path(TEACHER).read_bytes() == manifest
    left = [path for path in bench.path(str(NODE)).rglob("*") if path.name.endswith(".partial")]
    assert left == []
    assert not bench.path(str(NODE / "checkpoints")).exists()


def test_a_killed_training_resumes_with_the_same_command(
    long_training: Workbench, undisturbed: bytes, tmp_path: Path
) -> None:
    bench = long_training.copy_to(tmp_path / "bench")
    screen = start_and_kill(bench, snakemake_too=False)
    assert "Error in rule finetune" in screen
    bench.build("--", TEACHER, cores=1)
    assert_resumed_to(undisturbed, bench)


def test_a_training_resumes_after_snakemake_was_killed_with_it(
    long_training: Workbench, undisturbed: bytes, tmp_path: Path
) -> None:
    bench = long_training.copy_to(tmp_path / "bench")
    start_and_kill(bench, snakemake_too=True)
    code, screen = bench.snakemake("--", TEACHER, cores=1)
    assert code == 1
    assert "--unlock" in screen  # Snakemake says itself what to do
    bench.build("--unlock")
    bench.build("--", TEACHER, cores=1)
    assert_resumed_to(undisturbed, bench)


def test_checkpoints_of_other_settings_are_not_resumed(long_training: Workbench, tmp_path: Path) -> None:
    bench = long_training.copy_to(tmp_path / "bench")
    start_and_kill(bench, snakemake_too=False)
    bench.edit("study.yaml", f"model: tiny, epochs: {EPOCHS}, lr: 3e-3", "model: tiny, epochs: 1, lr: 2e-3")
    bench.build("--", TEACHER, cores=1)
    assert "resuming" not in log_of(bench)
    assert not bench.path(str(NODE / "checkpoints")).exists()
