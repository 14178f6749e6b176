"""The small studies, each run once a session; tests work on copies of what they left."""

from __future__ import annotations

from pathlib import Path

import pytest
from inputs import write_inputs
from workbench import EVERY_METHOD, EVERY_NODE, Finished, Workbench


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The workflow, the study and its inputs, before any run. Copy it; do not run it."""
    bench = Workbench.with_workflow(tmp_path_factory.mktemp("fresh") / "bench")
    write_inputs(bench.path("inputs"))
    return bench


@pytest.fixture(scope="session")
def first_run(fresh: Workbench, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workbench, Finished]:
    """The study after its first run, and what the run said."""
    bench = fresh.copy_to(tmp_path_factory.mktemp("finished") / "bench")
    return bench, bench.snakemake()


@pytest.fixture(scope="session")
def finished(first_run: tuple[Workbench, Finished]) -> Workbench:
    """The study after its first run. Change only copies of it."""
    bench, run = first_run
    assert run.code == 0, run.screen
    return bench


@pytest.fixture
def bench(finished: Workbench, tmp_path: Path) -> Workbench:
    """A copy of the finished study to change and to run."""
    return finished.copy_to(tmp_path / "bench")


@pytest.fixture(scope="session")
def every_method(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The study in which every method occurs, after its run. Change only copies of it."""
    bench = Workbench.with_workflow(tmp_path_factory.mktemp("every_method") / "bench", EVERY_METHOD)
    write_inputs(bench.path("inputs"))
    # One model is timed on two threads and on one; the others on one, two at a time, since their numbers do not matter.
    bench.build("--", f"{EVERY_NODE}/teacher/latency.json")
    bench.build("--set-threads", "latency=1", "prune=1")
    return bench
