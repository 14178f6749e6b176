"""A user of a hub: the scripts that fetch from it, with a cache and an environment of their own, and what they leave."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from hub_server import Hub

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "hf_FakeTokenThatNobodyMayEverRead"


class Fetched(NamedTuple):
    """What a script left: its exit code, what it said, and the folder that it wrote to."""

    code: int
    said: str
    folder: Path

    def refusal(self) -> str:
        """The one message of a script that failed; nothing else was said and nothing is left."""
        assert self.code == 1, self.said
        assert "Traceback" not in self.said, self.said
        assert not self.folder.parent.exists() or list(self.folder.parent.iterdir()) in ([], [self.folder]), self.said
        assert not self.folder.exists() or not list(self.folder.iterdir()), self.said
        messages = [line for line in self.said.splitlines() if line.startswith("Error: ")]
        assert len(messages) == 1, self.said
        assert self.said.endswith(messages[0] + "\n"), self.said
        return messages[0].removeprefix("Error: ")


class User:
    """Somebody with a cache, an environment and the workflow's scripts."""

    def __init__(self, hub: Hub, home: Path) -> None:
        self.hub = hub
        self.home = home
        self.outputs = 0
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "PYTHONPATH": str(ROOT),
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(home / "cache"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def model(
        self, name: str, revision: str | None = None, convert_pickle: bool = False, **environment: str
    ) -> Fetched:
        """Fetch a model as rule `download_model` does."""
        source = {"hub": name, **({"revision": revision} if revision else {}), "convert_pickle": convert_pickle}
        return self._run("download_model", ["--settings", json.dumps(source)], environment)

    def task(self, source: dict[str, Any], **environment: str) -> Fetched:
        """Read a task as rule `download_dataset` does."""
        task = {"source": source, "split": {"validation": 0.2, "test": 0.2}}
        return self._run("download_dataset", ["--task", json.dumps(task)], environment)

    def _run(self, script: str, arguments: list[str], environment: dict[str, str]) -> Fetched:
        self.outputs += 1
        folder = self.home / f"output{self.outputs}" / "result"
        done = subprocess.run(
            [sys.executable, "-m", f"workflow_scripts.{script}", *arguments, "--output", str(folder / "manifest.json")],
            env={**self.environment, **environment}, cwd=self.home, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
        )  # fmt: skip
        return Fetched(done.returncode, done.stdout, folder)


def parquet(rows: list[tuple[str, int]]) -> bytes:
    """A table of texts and of classes, whose names it knows."""
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    texts, labels = zip(*rows, strict=True)
    stream = io.BytesIO()
    datasets.Dataset.from_dict({"text": list(texts), "label": list(labels)}, features=features).to_parquet(stream)
    return stream.getvalue()


def rows(word: str, count: int = 40) -> list[tuple[str, int]]:
    """Texts that name the file they are from."""
    return [(f"{word} text number {number}", number % 2) for number in range(count)]
