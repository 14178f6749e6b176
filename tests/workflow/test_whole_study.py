"""The small study from nothing to its report."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from expected import COMPARE, DATA_JOBS, EVERYTHING, FAIR_BASELINE, LINEAGES, TIMED, TRAINED, built, measured
from workbench import NODES, REPORT, Finished, Workbench

DATA = "data/small_study"
DECLARED = [
    *(
        f"{DATA}/tasks/animals/{name}"
        for name in ("manifest.json", "train.parquet", "validation.parquet", "test.parquet")
    ),
    *(f"{DATA}/corpora/corn/manifest.json", f"{DATA}/corpora/corn/texts.parquet"),
    *(f"{DATA}/models/tiny/manifest.json", f"{DATA}/subsets/corn_30.parquet"),
    *(f"{NODES}/seed42/teacher/outputs/{subset}.parquet" for subset in ("train", "corn_30")),
    *(
        f"{NODES}/seed42/{lineage}/{name}"
        for lineage in LINEAGES
        for name in (
            "model/manifest.json",
            "metrics.json",
            "predictions.parquet",
            "logs/evaluate.log",
            "logs/evaluate.tsv",
        )
    ),
    *(f"{NODES}/seed42/{lineage}/training.json" for lineage in TRAINED),
    *(f"{NODES}/seed42/{lineage}/latency.json" for lineage in TIMED),
    *(f"{REPORT}/{name}" for name in ("table.csv", "table.md", "quality_latency.svg", "stages.svg")),
]


def test_the_first_run_succeeds_and_prints_where_its_table_is(first_run: tuple[Workbench, Finished]) -> None:
    bench, (code, screen) = first_run
    assert code == 0, screen
    assert f"The comparison is complete: {REPORT}/table.md" in screen
    assert bench.path(f"{REPORT}/table.md").read_text(encoding="utf-8").startswith("## animals")


def test_the_code_of_the_copy_is_what_runs_and_what_is_digested(finished: Workbench) -> None:
    program = (
        "import constrictor, workflow_scripts, constrictor.scheduling.code_digest as digest;"
        "print(constrictor.__file__, workflow_scripts.__file__, digest.ROOT, sep='\\n')"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=finished.folder.parent,
        env=finished.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    copy = finished.folder
    assert found.stdout.split() == [
        f"{copy}/constrictor/__init__.py",
        f"{copy}/workflow_scripts/__init__.py",
        f"{copy}",
    ]


def test_every_declared_file_is_there_and_nothing_is_left_over(finished: Workbench) -> None:
    assert [name for name in DECLARED if not finished.path(name).is_file()] == []
    made = [path for top in ("data", "results", "reports") for path in finished.path(top).rglob("*")]
    assert [path for path in made if path.name.endswith(".partial") or path.name == "checkpoints"] == []


def test_the_table_has_a_row_a_model(finished: Workbench) -> None:
    with open(finished.path(f"{REPORT}/table.csv"), encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["lineage"] for row in rows) == sorted(LINEAGES)
    recipes = finished.study()["recipes"]
    assert {row["recipe"]: row["lineage"] for row in rows if row["recipe"]} == recipes
    assert {row["lineage"] for row in rows if row["p50_ms_b1_s8_t2"]} == set(TIMED)
    assert all(0 <= float(row["test_accuracy"]) <= 1 for row in rows)


def test_the_markdown_table_names_every_recipe(finished: Workbench) -> None:
    text = finished.path(f"{REPORT}/table.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert set(finished.study()["recipes"]) <= set(cells)


@pytest.mark.parametrize("name", ["quality_latency.svg", "stages.svg"])
def test_the_pictures_are_whole_svg_files(finished: Workbench, name: str) -> None:
    root = ElementTree.parse(finished.path(f"{REPORT}/{name}")).getroot()
    assert root.tag.endswith("svg")
    assert len(list(root.iter())) > 20


def test_a_distillation_reads_every_example_as_often_as_the_study_sets(finished: Workbench) -> None:
    rows = json.loads(finished.path(f"{DATA}/tasks/animals/manifest.json").read_text(encoding="utf-8"))["rows"]
    training = json.loads(finished.path(f"{NODES}/seed42/teacher/kd/training.json").read_text(encoding="utf-8"))
    wanted = 2 * rows["train"] + 30  # train_on: {train: 2, corn_30: 1}
    assert wanted <= training["examples"] < wanted + 8  # the last batch of 8 counts as a full one


def test_a_pruning_of_a_distilled_model_names_the_share_of_zeros(finished: Workbench) -> None:
    manifest = json.loads(finished.path(f"{NODES}/seed42/teacher/kd/mag/model/manifest.json").read_text("utf-8"))
    assert [record["step"] for record in manifest["lineage"]] == ["teacher", "kd", "mag"]
    assert manifest["details"]["pruned"]["sparsity"] == pytest.approx(0.4, abs=1e-3)


def test_a_second_run_has_nothing_to_do(bench: Workbench) -> None:
    screen = bench.build()
    assert "Nothing to be done" in screen
    assert "Job stats" not in screen


def test_the_report_holds_the_pictures_and_their_captions(bench: Workbench) -> None:
    bench.build("--report", "report.html")
    text = bench.path("report.html").read_text(encoding="utf-8")
    for words in (
        "All models of the study as a tree",  # stages.rst
        "Quality on the test split vs. the median latency",  # quality_latency.rst
        "non-inferiority test with a margin of 0.05",  # table.rst, filled in from the study
        "quality against latency",
        "stage by stage",
        "all numbers",
    ):
        assert words in " ".join(text.split()), words


def test_a_new_study_plans_every_job_once(fresh: Workbench) -> None:
    assert fresh.plan() == EVERYTHING


def test_a_recipe_is_a_target_that_plans_only_its_jobs(fresh: Workbench) -> None:
    # The baseline, in torch and as ONNX, is what everything is timed against.
    baselines = built("teacher", "teacher/onnx")
    task_and_model = {("download_dataset", "animals"), ("download_model", "tiny")}
    assert fresh.plan("control") == {
        *task_and_model,
        *baselines,
        *built("small"),
        ("evaluate", "small"),
        FAIR_BASELINE,
        ("latency", "small"),
    }
    assert fresh.plan("half") == {
        *DATA_JOBS,
        *baselines,
        *built("teacher/kd", "teacher/kd/mag", "teacher/kd/mag/fp16"),
        ("teacher_outputs", "train with teacher"),
        ("teacher_outputs", "corn_30 with teacher"),
        ("evaluate", "teacher/kd/mag/fp16"),
        FAIR_BASELINE,
        ("latency", "teacher/kd/mag/fp16"),
    }


def test_one_node_is_a_target_of_its_own(fresh: Workbench) -> None:
    assert fresh.plan(f"{NODES}/seed42/small/metrics.json") == {
        ("download_dataset", "animals"),
        ("download_model", "tiny"),
        ("finetune", "small"),
        ("evaluate", "small"),
    }


def test_the_expected_jobs_of_these_tests_are_whole() -> None:
    assert {*DATA_JOBS, *built(*LINEAGES), *measured(*LINEAGES), COMPARE} < EVERYTHING
    assert len(EVERYTHING) == 40
