"""A SLURM of the session's own, and the small study beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster, why_not
from inputs import write_inputs
from workbench import Workbench


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one node with two CPU cores and two GPUs."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    started = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def bench(cluster: Cluster, tmp_path: Path) -> Workbench:
    """The workflow, the study and its inputs, before any run."""
    bench = Workbench.with_workflow(tmp_path / "bench")
    write_inputs(bench.path("inputs"))
    return bench
