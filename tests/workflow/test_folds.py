"""A study with two folds: what is read in each fold, and what the report says of all of them."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from inputs import write_inputs, write_table
from sklearn.metrics import accuracy_score
from workbench import STUDY, Workbench

TASK = "data/folds/tasks/animals"
NODES = [f"results/folds/animals/seed42-fold{fold}" for fold in (0, 1)]


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The study after its run. Its corpus repeats every text of the task beside its own."""
    bench = Workbench.with_workflow(tmp_path_factory.mktemp("folds") / "bench", Path(__file__).with_name("folds.yaml"))
    write_inputs(bench.path("inputs"))
    with (
        open(bench.path("inputs/animals.csv"), encoding="utf-8") as animals,
        open(bench.path("inputs/corn.csv"), encoding="utf-8") as corn,
    ):
        texts = [row["text"] for file in (animals, corn) for row in csv.DictReader(file)]
    write_table(bench.path("inputs/corn.csv"), ["text"], [[text] for text in texts])
    bench.build("--set-threads", "latency=1", "fair_baseline=1", "--", "all", "data/folds/subsets/some_corn.parquet")
    return bench


def rows(bench: Workbench, name: str, column: str = "id") -> list[str]:
    return pq.read_table(bench.path(name))[column].to_pylist()


def test_every_example_is_a_test_example_once_and_never_of_what_trains_beside_it(crossed: Workbench) -> None:
    tests = [set(rows(crossed, f"{TASK}/fold{fold}/test.parquet")) for fold in (0, 1)]
    everything = set().union(*(rows(crossed, f"{TASK}/{name}.parquet") for name in ("train", "validation", "test")))
    assert tests[0] | tests[1] == everything
    assert not tests[0] & tests[1]
    for fold, held_out in enumerate(tests):
        assert not held_out & {
            *rows(crossed, f"{TASK}/fold{fold}/train.parquet"),
            *rows(crossed, f"{TASK}/fold{fold}/validation.parquet"),
        }


def test_a_fold_is_trained_on_its_own_examples(crossed: Workbench) -> None:
    for fold, node in enumerate(NODES):
        chosen = rows(crossed, f"data/folds/subsets/fold{fold}/ten.parquet")
        assert set(chosen) < set(rows(crossed, f"{TASK}/fold{fold}/train.parquet"))
        assert rows(crossed, f"{node}/teacher/outputs/ten.parquet") == chosen
        predictions = pq.read_table(crossed.path(f"{node}/teacher/kd/predictions.parquet")).to_pylist()
        for split in ("validation", "test"):
            answered = [row["id"] for row in predictions if row["split"] == split]
            assert answered == rows(crossed, f"{TASK}/fold{fold}/{split}.parquet")


def test_text_of_a_corpus_is_no_example_of_the_task(crossed: Workbench) -> None:
    known = {
        text for name in ("train", "validation", "test") for text in rows(crossed, f"{TASK}/{name}.parquet", "text")
    }
    assert len(known) > 100
    chosen = set(rows(crossed, "data/folds/subsets/some_corn.parquet", "text"))
    assert len(chosen) == 20
    assert not chosen & known


def test_the_report_is_over_all_examples_and_states_so(crossed: Workbench) -> None:
    with open(crossed.path("inputs/animals.csv"), encoding="utf-8") as file:
        labels = {str(number): row["label"] == "good" for number, row in enumerate(csv.DictReader(file))}
    answered = {
        row["id"]: row["logits"][1] > row["logits"][0]
        for node in NODES
        for row in pq.read_table(crossed.path(f"{node}/teacher/kd/predictions.parquet")).to_pylist()
        if row["split"] == "test"
    }
    expected = accuracy_score([labels[name] for name in answered], list(answered.values()))
    with open(crossed.path("reports/folds/animals/table.csv"), encoding="utf-8") as file:
        student = next(row for row in csv.DictReader(file) if row["recipe"] == "student")
    assert float(student["test_accuracy"]) == pytest.approx(expected)
    words = crossed.path("reports/folds/animals/table.md").read_text(encoding="utf-8")
    assert "150 test examples, 2 folds, each predicted by the model that was not trained on it" in words
    assert f"{100 * expected:.2f} ± " in words


def test_only_the_first_fold_is_timed(crossed: Workbench) -> None:
    assert [crossed.path(f"{node}/teacher/kd/latency.json").exists() for node in NODES] == [True, False]
    assert "p50_ms_b1_s8_t1" in crossed.path("reports/folds/animals/table.csv").read_text(encoding="utf-8")


def test_folds_and_a_grid_make_a_large_study(tmp_path: Path) -> None:
    bench = Workbench.with_workflow(tmp_path / "bench", STUDY)
    write_inputs(bench.path("inputs"))

    def enlarge(study: dict[str, Any]) -> None:
        study["replicates"] = {"seeds": [42], "folds": 5}
        del study["steps"]["kd"]["alpha"]
        study["steps"]["kd"]["grid"] = {"alpha": [0.1, 0.5, 0.9], "temperature": [1, 2, 4, 6]}

    bench.change_study(enlarge)
    screen = bench.build("--dry-run", "--quiet", "host")
    assert int(re.findall(r"^total +(\d+)$", screen, flags=re.MULTILINE)[0]) > 1000
