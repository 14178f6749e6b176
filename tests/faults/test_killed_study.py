"""A study that is killed at random moments, unlocked and run on ends with the artifacts of an undisturbed one."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from little import GOALS, artifacts, kill_everything, leftovers, scripts_in, stages_of, wait_for
from workbench import Workbench, end

SEED = 2026
KILLS_A_STUDY = 15
PLANNING = {"Snakemake, before any job": 2.5}  # seconds
BEYOND = 1.25  # of a stage's time: a moment can come after its end, in the next stage or between two


class Moment(NamedTuple):
    """So many seconds after a stage, by its place in the order of stages, was seen at work."""

    stage: int
    seconds: float


def drawn(chance: random.Random, lengths: Sequence[float], count: int) -> list[Moment]:
    """Random moments of random stages, none of which comes up more than twice, in the order of a study."""
    stages = chance.sample(range(len(lengths)), count, counts=[2] * len(lengths))
    return sorted(Moment(stage, chance.uniform(0, BEYOND * lengths[stage])) for stage in stages)


@pytest.mark.parametrize(
    ("kills", "goals", "fewest_stages"),
    [pytest.param(3, GOALS, 2, id="3"), pytest.param(30, (), 8, id="30", marks=pytest.mark.faults)],
)
def test_killed_study_ends_with_the_artifacts_of_an_undisturbed_one(
    little: Workbench,
    undisturbed: Workbench,
    tmp_path: Path,
    kills: int,
    goals: Sequence[str],
    fewest_stages: int,
    row: Callable[[str, str, str], None],
) -> None:
    # All in one run, since the order of the stages is read from it.
    whole = (undisturbed if goals else little).copy_to(tmp_path / "whole")
    whole.build(*goals)
    stages, wanted = {**PLANNING, **stages_of(whole)}, artifacts(whole)
    names, lengths = list(stages), list(stages.values())
    chance, met, runs = random.Random(SEED), list[list[str]](), 0
    print(f"moments drawn with seed {SEED}")
    # Few kills may all meet one stage; then there are some more.
    while len(met) < kills or (len(met) < 2 * kills and len(different(met)) < fewest_stages):
        bench, runs = little.copy_to(tmp_path / f"bench{runs}"), runs + 1
        for moment in drawn(chance, lengths, min(KILLS_A_STUDY, max(kills - len(met), 1))):
            at_work = killed_after(moment.seconds, bench, goals, names[moment.stage :] if moment.stage else [])
            if at_work is None:
                break
            met.append(at_work)
            bench.build("--unlock")
        bench.build(*goals)
        assert artifacts(bench) == wanted
        assert leftovers(bench) == []
    assert len(different(met)) >= fewest_stages, met
    found = Counter(" and ".join(names) or "no script" for names in met)
    row(
        f"SIGKILL for Snakemake and all its jobs, {len(met)} times at random moments of random stages (seed {SEED}), then "
        "`snakemake --unlock` and the same command again",
        f"{runs} studies of {len(wanted)} files ended with the files of an undisturbed one, hash for hash. Met at work: "
        f"{', '.join(f'{names} ({count})' for names, count in found.most_common())}",
        "what the killed jobs had done since their last checkpoints was computed again",
    )


def different(met: Sequence[Sequence[str]]) -> set[str]:
    """The scripts that kills have met at work."""
    return {name for names in met for name in names}


def killed_after(seconds: float, bench: Workbench, goals: Sequence[str], awaited: Sequence[str]) -> list[str] | None:
    """Start the study and kill it some time after one of the awaited scripts, if any, was seen at work.

    Returns:
        The scripts that were at work then; None if the study had ended.
    """
    process = bench.start(*goals)
    try:
        wait_for(lambda: not awaited or process.poll() is not None or {*awaited} & {*scripts_in(bench)})
        screen, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        at_work = scripts_in(bench)
        print(f"killed {seconds:.2f} s after {awaited[:1] or 'its start'}, with at work: {at_work}")
        kill_everything(bench, process)
        return at_work
    finally:
        end(process)
    assert process.returncode == 0, screen
    return None
