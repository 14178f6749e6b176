"""A payload that shows when it has run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest


class Trap:
    """What a pickle of somebody else's may hold: it touches a file when it is opened."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)

    @property
    def payload(self) -> bytes:
        """A pickle that touches the file."""
        return pickle.dumps(self)


@pytest.fixture
def trap(tmp_path: Path):
    """A trap, which must not have run in the end; it is shown that it could have."""
    found = Trap(tmp_path / "trapped")
    yield found
    assert not found.file.exists(), "the payload has run"
    pickle.loads(found.payload)
    assert found.file.exists(), "the payload does nothing"
