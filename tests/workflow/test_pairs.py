"""A study about pairs of texts with an extra test set: it is built, reported, and given one more without a training."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from inputs import write_inputs, write_table
from sklearn.metrics import accuracy_score
from workbench import NODES, REPORT, Workbench

TASK = "data/small_study/tasks/animals"
LINEAGES = ("teacher", "teacher/onnx")


def _about_pairs(study: dict[str, Any]) -> None:
    task = study["tasks"]["animals"]
    task |= {"source": {"path": "inputs/pairs.csv"}, "columns": {"text": "head", "pair": "tail"}, "max_samples": 60}
    task["extra_test_sets"] = {"mismatched": {"path": "inputs/mismatched.csv"}}
    for unused in ("corpora", "subsets"):
        del study[unused]
    study["steps"] = {name: study["steps"][name] for name in ("teacher", "onnx")}
    study["recipes"] = {"baseline": "teacher", "cpu": "teacher/onnx"}
    del study["report"]["control"]


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The study after its run. Of the extra test set, 20 rows stand in the task's source too."""
    bench = Workbench.with_workflow(tmp_path_factory.mktemp("pairs") / "bench")
    write_inputs(bench.path("inputs"))
    with open(bench.path("inputs/animals.csv"), encoding="utf-8") as file:
        rows = [(*row["text"].split(" and "), row["label"]) for row in csv.DictReader(file)]
    write_table(bench.path("inputs/pairs.csv"), ["head", "tail", "label"], rows)
    others = [(f"a {head}", tail, label) for head, tail, label in rows[:40]]
    write_table(bench.path("inputs/mismatched.csv"), ["head", "tail", "label"], [*others, *rows[:20]])
    bench.change_study(_about_pairs)
    bench.build("--set-threads", "latency=1", "fair_baseline=1")
    return bench


def _pairs(bench: Workbench, name: str) -> set[tuple[str, str]]:
    return {(row["text"], row["pair"]) for row in pq.read_table(bench.path(f"{TASK}/{name}.parquet")).to_pylist()}


def test_each_model_is_evaluated_on_the_extra_test_set_too(paired: Workbench) -> None:
    for lineage in LINEAGES:
        node = f"{NODES}/seed42/{lineage}"
        rows = pq.read_table(paired.path(f"{node}/predictions.parquet")).to_pylist()
        answers = [row for row in rows if row["split"] == "mismatched"]
        found = json.loads(paired.path(f"{node}/metrics.json").read_text(encoding="utf-8"))["extra_test_sets"][
            "mismatched"
        ]
        guesses = [row["logits"][1] > row["logits"][0] for row in answers]
        assert found["accuracy"] == pytest.approx(accuracy_score([row["label"] for row in answers], guesses))
        with open(paired.path(f"{REPORT}/table.csv"), encoding="utf-8") as file:
            row = next(row for row in csv.DictReader(file) if row["lineage"] == lineage)
        assert float(row["mismatched_accuracy"]) == pytest.approx(found["accuracy"])
    assert "mismatched accuracy" in paired.path(f"{REPORT}/table.md").read_text(encoding="utf-8")


def test_what_the_task_holds_is_no_further_test(paired: Workbench) -> None:
    others = _pairs(paired, "extra_test_sets/mismatched")
    assert 40 <= len(others) < 60
    for split in ("train", "validation", "test"):
        assert not others & _pairs(paired, split)


def test_what_is_trained_on_is_capped_and_what_is_held_out_is_not(paired: Workbench) -> None:
    manifest = json.loads(paired.path(f"{TASK}/manifest.json").read_text(encoding="utf-8"))
    assert manifest["rows"] == {"train": 60, "validation": 30, "test": 30}


def test_one_more_test_set_trains_nothing_again(paired: Workbench, tmp_path: Path) -> None:
    bench = paired.copy_to(tmp_path / "bench")
    bench.change_study(
        lambda study: study["tasks"]["animals"]["extra_test_sets"].update(more={"path": "inputs/more.csv"})
    )
    write_table(bench.path("inputs/more.csv"), ["head", "tail", "label"], [("a cat", "is very calm .", "good")])
    assert bench.plan() == {
        ("download_extra_test_set", "more"),
        *(("evaluate", lineage) for lineage in LINEAGES),
        ("compare", "animals"),
    }
