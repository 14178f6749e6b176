"""A study whose model and data are named by their ids on a hub, from a hub on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub
from hub_user import TOKEN
from workbench import TEACHER, Workbench


def name_a_hub(study: dict[str, Any]) -> None:
    study["tasks"]["animals"]["source"] = {"hub": "someone/animals"}
    study["models"]["tiny"] = {"hub": "someone/tiny", "revision": "v1"}


@pytest.fixture
def bench(fresh: Workbench, tmp_path: Path) -> Workbench:
    """The small study with sources on a hub, which its user has not fetched yet."""
    bench = fresh.copy_to(tmp_path / "bench")
    bench.change_study(name_a_hub)
    return bench


def test_model_and_data_of_a_hub_are_fetched_and_trained(bench: Workbench, tmp_path: Path) -> None:
    with Hub() as hub:
        inputs = bench.path("inputs")
        model = hub.add("someone/tiny", {file.name: file.read_bytes() for file in (inputs / "tiny_bert").iterdir()})
        model.tags["v1"] = model.refs["main"]
        model.gated = True
        hub.add("datasets/someone/animals", {"train.csv": (inputs / "animals.csv").read_bytes()})
        hub.tokens.add(TOKEN)
        hub.welcome.add(TOKEN)
        bench.environment |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        bench.environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

        refused = bench.snakemake("--", TEACHER)
        assert refused.code == 1
        said = "Error: the model someone/tiny at revision v1 could not be fetched. It is gated: accept its terms at "
        assert said + hub.endpoint in refused.screen
        assert "Traceback" not in refused.screen

        bench.environment["HF_TOKEN"] = TOKEN
        screen = refused.screen + bench.build("--", TEACHER)
    assert bench.path(TEACHER).is_file()
    manifest = json.loads(bench.path("data/small_study/models/tiny/manifest.json").read_text(encoding="utf-8"))
    assert manifest["details"]["source"] == {"hub": "someone/tiny", "revision": "v1", "commit": model.refs["main"]}
    assert TOKEN not in screen
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert bench.path("data/small_study/logs/model_tiny.log") in written
    assert [file for file in written if TOKEN.encode() in file.read_bytes()] == []
