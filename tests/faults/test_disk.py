"""Disks that are full or may not be written."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from little import GOALS, artifacts, errors_on, leftovers
from workbench import Workbench

Row = Callable[[str, str, str], None]


def remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def test_full_disk_is_named_and_the_study_goes_on_when_there_is_space(
    little: Workbench, undisturbed: Workbench, tmp_path: Path, small_disk: Callable[[str], Path], row: Row
) -> None:
    disk = small_disk("600k")
    bench = little.copy_to(tmp_path / "bench")
    bench.path("results").symlink_to(disk)
    code, screen = bench.snakemake(*GOALS)
    assert code == 1
    messages = errors_on(screen)
    assert len(messages) == 1, screen
    assert "the disk is full" in messages[0]
    assert "Free some space and run the same command again" in messages[0]
    assert "Traceback" not in screen
    assert not list(disk.rglob("manifest.json"))
    remount(disk, "size=100m")
    bench.build(*GOALS)
    assert artifacts(bench) == artifacts(undisturbed)
    assert leftovers(bench) == []
    row(
        "a disk that is full while a model is trained",
        "one message: what could not be written, and what to do; with more space the same command went on to the same "
        "files",
        "nothing",
    )


def test_folder_that_may_not_be_written_is_named(
    little: Workbench, tmp_path: Path, small_disk: Callable[[str], Path], row: Row
) -> None:
    disk = small_disk("1m")
    bench = little.copy_to(tmp_path / "bench")
    bench.path("results").symlink_to(disk)
    remount(disk, "ro")
    code, screen = bench.snakemake(*GOALS)
    assert code == 1
    assert screen.count("results/little may not be written: ") == 1, screen
    assert "Traceback" not in screen
    assert "Read and split" not in screen
    row(
        "a results folder on a read-only disk", "one message before any job: which folder may not be written", "nothing"
    )
