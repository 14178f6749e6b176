"""One run of a study whose data, labels and file names are hostile, by a user who has a token."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from inputs import write_inputs
from little import LITTLE
from workbench import Workbench

TOKEN = "hf_FakeTokenThatNobodyMayEverRead"
LABELS = ["<script>alert(1)</script>", "</script><img src=x onerror=alert(2)> | `$(touch trapped)` {{ 7919 * 104729 }}"]
SOURCE = "inputs/animals $(touch trapped); 'x' & &lt;script.csv"
REPORT = "reports/little/animals"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workbench, str]:
    """The study after its run, and all that was said."""
    bench = Workbench.with_workflow(tmp_path_factory.mktemp("hostile") / "bench", LITTLE)
    bench.environment["HF_TOKEN"] = TOKEN
    write_inputs(bench.path("inputs"))
    with open(bench.path("inputs/animals.csv"), encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    with open(bench.path(SOURCE), "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(rows[0])
        writer.writerows((f"{text} {LABELS[0]}", LABELS[label == "good"]) for text, label in rows[1:])

    def change(study: dict[str, Any]) -> None:
        study["tasks"]["animals"].update(source={"path": SOURCE}, labels=LABELS, metric="f1")
        study["recipes"] = {"baseline": "teacher"}
        study["report"] |= {"latency": {"batch_sizes": [1], "lengths": [8], "rounds": 3, "attempts": 1}}

    bench.change_study(change)
    return bench, bench.build() + bench.build("--report", "report.html")


def test_labels_stay_what_they_are(hostile: tuple[Workbench, str]) -> None:
    bench, _ = hostile
    manifest = json.loads(bench.path("results/little/animals/seed42/teacher/model/manifest.json").read_text("utf-8"))
    assert manifest["task"]["labels"] == LABELS


def test_nothing_of_a_name_is_run_by_a_shell(hostile: tuple[Workbench, str]) -> None:
    bench, _ = hostile
    assert list(bench.folder.rglob("trapped")) == []


@pytest.mark.parametrize("name", ["report.html", *(f"{REPORT}/{n}" for n in ("table.md", "table.csv", "stages.svg"))])
def test_what_people_open_holds_no_script_of_the_data(hostile: tuple[Workbench, str], name: str) -> None:
    bench, _ = hostile
    text = bench.path(name).read_text(encoding="utf-8")
    assert len(text) > 200
    for piece in ("<script>alert(", "<img src=x", "</script><img", str(7919 * 104729)):
        assert piece not in text, piece


def test_token_is_nowhere(hostile: tuple[Workbench, str]) -> None:
    bench, said = hostile
    assert TOKEN not in said
    files = [file for file in bench.folder.rglob("*") if file.is_file()]
    assert len(files) > 200
    assert [str(file) for file in files if TOKEN.encode() in file.read_bytes()] == []
