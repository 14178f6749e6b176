"""A clock that was set back: files are dated ahead of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from little import GOALS, NODES, artifacts
from workbench import Workbench

Row = Callable[[str, str, str], None]
DAY = 86400
TASK = "data/little/tasks/animals/manifest.json"


def date_ahead(bench: Workbench, *names: str) -> None:
    """Date all files of some folders a day ahead."""
    moment = time.time() + DAY
    for name in names:
        for file in bench.path(name).rglob("*"):
            os.utime(file, (moment, moment))


def test_files_dated_ahead_of_the_clock(little: Workbench, undisturbed: Workbench, tmp_path: Path, row: Row) -> None:
    bench = little.copy_to(tmp_path / "fresh")
    date_ahead(bench, "inputs")
    screen = bench.build("--", TASK)
    assert "Note: inputs/animals.csv had a modification time in the future; it is set to the current time." in screen
    assert bench.plan(TASK) == set()
    assert artifacts(bench).items() <= artifacts(undisturbed).items()

    done = undisturbed.copy_to(tmp_path / "done")
    date_ahead(done, "inputs", "data", "results")
    assert done.plan(*GOALS[1:]) == set()

    some = undisturbed.copy_to(tmp_path / "some")
    date_ahead(some, "data", f"{NODES}/teacher/model")
    some.path(f"{NODES}/teacher/kd/metrics.json").unlink()
    assert some.plan(*GOALS[1:]) == {("evaluate", "teacher/kd")}
    some.build(*GOALS)
    assert some.plan(*GOALS[1:]) == set()
    row(
        "a clock set back by a day: inputs, data or models dated ahead of it",
        "each run named the files, dated them now and ended as ever; nothing was built that was there",
        "nothing",
    )
