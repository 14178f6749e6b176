"""A hub with a server of its own, a user of it, and a model as a hub has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Hub
from hub_user import TOKEN, User


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    with Hub() as running:
        running.tokens.add(TOKEN)
        yield running


@pytest.fixture
def user(hub: Hub, tmp_path: Path) -> User:
    hub.requests.clear()
    hub.ranges.clear()
    return User(hub, tmp_path)


@pytest.fixture(scope="session")
def model_files(tiny_checkpoint: Path) -> dict[str, bytes]:
    """The files of a small model as a hub has them, with some that nobody here needs."""
    files = {file.name: file.read_bytes() for file in tiny_checkpoint.iterdir()}
    spare = "README.md pytorch_model.bin tf_model.h5 flax_model.msgpack model.onnx tokenizer.pkl code.py onnx/model.safetensors"
    return {**files, **dict.fromkeys(spare.split(), b"never fetched")}
