"""A study that is killed at random moments, unlocked and run on ends with the artifacts of an undisturbed one."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from little import GOALS, artifacts, kill_everything, leftovers, scripts_in
from workbench import Workbench, end

SEED = 2026
LATEST = 12.0  # seconds behind the start, which takes some two


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.faults)])
def test_killed_study_ends_with_the_artifacts_of_an_undisturbed_one(
    little: Workbench, undisturbed: Workbench, tmp_path: Path, kills: int, row: Callable[[str, str, str], None]
) -> None:
    moments, met, runs, wanted = random.Random(SEED), Counter[str](), 0, artifacts(undisturbed)
    print(f"moments drawn with seed {SEED}")
    while met.total() < kills:
        bench, runs = little.copy_to(tmp_path / f"bench{runs}"), runs + 1
        while met.total() < kills:
            what = killed_after(moments.uniform(0.3, LATEST), bench)
            if what is None:
                break
            met[what] += 1
            bench.build("--unlock")
        bench.build(*GOALS)
        assert artifacts(bench) == wanted
        assert leftovers(bench) == []
    found = ", ".join(f"{what} ({count})" for what, count in met.most_common())
    row(
        f"SIGKILL for Snakemake and all its jobs, {kills} times at random moments (seed {SEED}), then `snakemake "
        "--unlock` and the same command again",
        f"{runs} studies of {len(wanted)} files ended with the files of an undisturbed one, hash for hash. Met at work: "
        f"{found}",
        "nothing; trainings went on from their checkpoints",
    )


def killed_after(seconds: float, bench: Workbench) -> str | None:
    """Start the study and kill it; what was at work then, or None if the study had ended."""
    process = bench.start(*GOALS)
    try:
        screen, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        at_work = " and ".join(scripts_in(bench)) or "no script"
        print(f"killed after {seconds:.2f} s, with at work: {at_work}")
        kill_everything(bench, process)
        return at_work
    finally:
        end(process)
    assert process.returncode == 0, screen
    return None
