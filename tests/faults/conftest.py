"""The little study before and after an undisturbed run, and the table of faults that its tests fill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from inputs import write_inputs
from little import GOALS, LITTLE, TEACHER, train_long
from workbench import Workbench

Row = Callable[[str, str, str], None]
_TABLE = pytest.StashKey[dict[str, tuple[str, str, str]]]()
_BEGIN, _END = "<!-- the table of make test-faults -->", "<!-- end of the table -->"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-table", type=Path, help="page whose table of faults is written anew if all tests pass")


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The little study before any run. Copy it; do not run it."""
    bench = Workbench.with_workflow(tmp_path_factory.mktemp("little") / "bench", LITTLE)
    write_inputs(bench.path("inputs"))
    return bench


@pytest.fixture(scope="session")
def undisturbed(little: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The little study after a run that nothing disturbed. Change only copies of it."""
    bench = little.copy_to(tmp_path_factory.mktemp("undisturbed") / "bench")
    bench.build(*GOALS)
    return bench


@pytest.fixture(scope="session")
def long_training(undisturbed: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The study after its run, with a teacher that has to be trained again, for long. Copy it; do not run it."""
    bench = undisturbed.copy_to(tmp_path_factory.mktemp("long") / "bench")
    train_long(bench)
    return bench


@pytest.fixture(scope="session")
def long_undisturbed(long_training: Workbench, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The manifest that this long training gives if nothing disturbs it."""
    bench = long_training.copy_to(tmp_path_factory.mktemp("long_undisturbed") / "bench")
    bench.build("--", TEACHER, cores=1)
    return bench.path(TEACHER).read_bytes()


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """A function that enters a row into the table of faults: what was done, what happened, what was lost."""
    table = request.config.stash.setdefault(_TABLE, {})

    def enter(done: str, happened: str, lost: str) -> None:
        table[request.node.nodeid] = (done, happened, lost)

    return enter


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    page = session.config.getoption("--write-table", None)
    rows = session.config.stash.get(_TABLE, {})
    if page is None or exitstatus != 0:
        return
    lines = [
        f"| {' | '.join(cells)} |" for cells in [("what was done", "what happened", "what was lost"), *rows.values()]
    ]
    table = "\n".join([lines[0], "| --- | --- | --- |", *lines[1:]])
    text = page.read_text(encoding="utf-8")
    page.write_text(f"{text.partition(_BEGIN)[0]}{_BEGIN}\n{table}\n{_END}{text.partition(_END)[2]}", encoding="utf-8")
