"""The plan before, between and after runs, and where files came from, on copies of the small study."""

from __future__ import annotations

import json
import math
import re
import shlex
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from expected import EVERYTHING, rebuilt
from inputs import write_inputs
from workbench import NODES, STUDY, Workbench

FOLDS = Path(__file__).with_name("folds.yaml")

REQUESTED = """
import json, logging
from workflow_scripts._dry_run import dry_run

requested = {}
listener = logging.Handler()
listener.emit = lambda record: requested.setdefault(str(getattr(record, "benchmark", "")), getattr(record, "resources", None))
logging.getLogger("snakemake").addHandler(listener)
run = dry_run(["--configfile", "study.yaml", "--cores", "2"])
memory = {str(announced.job.benchmark): requested[str(announced.job.benchmark)].mem_mb for announced in run.jobs}
"""
PLANNED = f"""{REQUESTED}
from pathlib import Path
from constrictor.study.plan import Plan
from constrictor.study.read import load_study
from constrictor.scheduling.resources import resources_of
from constrictor.scheduling.wildcards import wildcards_of
from constrictor.scheduling.workload import Workload

workload = Workload(Plan(load_study("study.yaml")), Path("data/small_study"), run.has_gpus)
print(json.dumps([
    [rule, named, str(table), memory[str(table)], resources_of(workload.of(rule, wildcards_of(named))).mem_mb]
    for job in (announced.job for announced in run.jobs) for rule, named, table in [job]
]))
"""
FINISHED = """
import json
from constrictor.scheduling.jobs import finished_jobs
from constrictor.study.plan import Plan
from constrictor.study.read import load_study
print(json.dumps([[rule, named, str(table)] for rule, named, table in finished_jobs(Plan(load_study("study.yaml")))]))
"""


def plan(bench: Workbench) -> str:
    """What `make plan` prints."""
    code, screen = bench.python("-m", "workflow_scripts.plan", "--configfile", "study.yaml", "--cores", "2")
    assert code == 0, screen
    return screen


def table(text: str, title: str) -> dict[str, list[str]]:
    """The rows of one of the plan's tables, by rule."""
    rows = text.partition(f"{title}\n")[2].partition("\n\n")[0].splitlines()[1:]
    return {rule: cells for rule, *cells in (re.split(r" {2,}", row.strip()) for row in rows)}


def test_a_new_study_plans_every_job_once_and_requests_what_is_estimated(fresh: Workbench, finished: Workbench) -> None:
    code, screen = fresh.python("-c", PLANNED)
    assert code == 0, screen
    planned = json.loads(screen.splitlines()[-1])
    assert Counter(job[0] for job in planned) == Counter(rule for rule, _ in EVERYTHING)
    for rule, named, _, requested, estimated in planned:
        assert requested == estimated, (rule, named)
    # The jobs that left a table are known by its path alone, and they are the same.
    code, screen = finished.python("-c", FINISHED)
    assert code == 0, screen
    found = json.loads(screen.splitlines()[-1])
    assert sorted(map(json.dumps, found)) == sorted(json.dumps(job[:3]) for job in planned)


@pytest.mark.parametrize("study", [STUDY, FOLDS], ids=["one split", "folds"])
def test_a_measured_peak_replaces_the_estimate(study: Path, tmp_path: Path) -> None:
    bench = Workbench.with_workflow(tmp_path / "bench", study)
    write_inputs(bench.path("inputs"))
    tables = _requested_memory(bench)
    peaks = {table: 20_000 + 10 * number for number, table in enumerate(tables)}
    for table, peak in peaks.items():
        bench.path(table).parent.mkdir(parents=True, exist_ok=True)
        bench.path(table).write_text(f"s\tmax_rss\n9\t{peak}\n", encoding="utf-8")
    assert _requested_memory(bench) == {table: math.ceil(1.3 * peak + 300) for table, peak in peaks.items()}


def _requested_memory(bench: Workbench) -> dict[str, int]:
    """Megabytes that each job requests, by its benchmark table."""
    code, screen = bench.python("-c", f"{REQUESTED}\nprint(json.dumps(memory))")
    assert code == 0, screen
    return dict(json.loads(screen.splitlines()[-1]))


def test_a_plan_is_compared_with_what_the_run_took(fresh: Workbench, finished: Workbench, tmp_path: Path) -> None:
    bench = fresh.copy_to(tmp_path / "bench")
    text = plan(bench)
    assert text.startswith("Study small_study: 40 jobs to run, 0 reused\n")
    assert "40  outputs are missing" in text
    to_run = table(text, "To run")
    assert {rule: int(cells[0]) for rule, cells in to_run.items() if rule != "all"} == Counter(r for r, _ in EVERYTHING)
    assert to_run["finetune"][3] == "model size"
    recorded = json.loads(bench.path("reports/small_study/plan.json").read_text(encoding="utf-8"))
    assert len(recorded) == 40
    # The run, as far as the plan can see one: everything is there, and younger than the plan.
    for part in ("data", "results", "reports", ".snakemake"):
        subprocess.run(["cp", "-a", f"{finished.path(part)}/.", str(bench.path(part))], check=True)
    for file in (*bench.path("results").rglob("*.tsv"), *bench.path("data").rglob("*.tsv")):
        file.touch()
    text = plan(bench)
    assert text.startswith("Study small_study: 0 jobs to run, 40 reused\n")
    rows = table(text, "Done and reused")
    assert rows["latency"][0] == "8"
    assert rows["latency"][1] == to_run["latency"][1]  # as it was estimated before
    assert rows["latency"][2] != "–"


def test_a_changed_setting_is_named_with_what_it_brings_about(bench: Workbench) -> None:
    bench.change_study(lambda study: study["steps"]["kd"].update(alpha=0.9))
    text = plan(bench)
    jobs = rebuilt("kd")
    assert text.startswith(f"Study small_study: {len(jobs)} jobs to run, {40 - len(jobs)} reused\n")
    assert "     1  settings of kd have changed: alpha 0.5 → 0.9\n" in text
    assert f"{len(jobs) - 1:>6}  an input is made by another job of this run" in text
    assert table(text, "To run")["distil"][3] == "last run"


def test_a_mistake_in_the_study_is_reported_and_nothing_is_planned(fresh: Workbench, tmp_path: Path) -> None:
    bench = fresh.copy_to(tmp_path / "bench")
    bench.change_study(lambda study: study["steps"]["kd"].update(epoch=3))
    code, screen = bench.python("-m", "workflow_scripts.plan", "--configfile", "study.yaml")
    assert code == 1
    assert "steps.kd.epoch: unknown key. Did you mean 'epochs'?" in screen
    assert "Traceback" not in screen
    code, screen = bench.python("-m", "workflow_scripts.plan", "--configfile", "none.yaml")
    assert (code, screen) == (1, "Error: there is no study none.yaml.\n")


def test_where_a_model_came_from_and_how_it_is_made_again(finished: Workbench) -> None:
    file = f"{NODES}/seed42/teacher/kd/mag/model/model.safetensors"
    code, screen = finished.python("-m", "workflow_scripts.explain", file)
    assert code == 0, screen
    lines = {line[2:12].strip(): line[12:] for line in screen.splitlines() if line[2:12].strip()}
    assert re.match(r"by prune on \d{4}-\d\d-\d\d \d\d:\d\d in .* s, code [0-9a-f]{16}$", lines["Made"])
    assert "Python 3" in lines["Machine"]
    assert "torch in fp32" in lines["Model"]
    assert "torch 2" in lines["Versions"]
    task = json.loads(finished.path("data/small_study/tasks/animals/manifest.json").read_text(encoding="utf-8"))
    assert f"train (sha256 {task['fingerprint']['train'][:12]})" in lines["Data"]
    for step in (
        "tiny: path inputs/tiny_bert",
        "teacher: finetune lr 0.003",
        "teacher/kd: distil ",
        "teacher/kd/mag: prune ",
    ):
        assert f" {step}" in screen
    assert "sparsity 0.4" in screen
    assert "weight_decay" not in screen.partition("Again")[0]  # a default; the command below holds all settings
    command = lines["Again"].replace("--configfile YOUR_STUDY.yaml ", "")
    assert command == f"snakemake --force -- {NODES}/seed42/teacher/kd/mag/model/manifest.json"
    again = finished.build("--dry-run", "--quiet", "host", *shlex.split(command)[1:])
    assert re.findall(r"^(\w+) +(\d+)$", again, flags=re.MULTILINE) == [("prune", "1"), ("total", "1")] * 2


def test_a_measurement_is_explained_by_the_model_that_it_is_of(finished: Workbench) -> None:
    code, screen = finished.python("-m", "workflow_scripts.explain", f"{NODES}/seed42/teacher/onnx/int8/metrics.json")
    assert code == 0, screen
    assert "by evaluate" in screen
    assert "onnx in int8" in screen
    assert " teacher/onnx/int8: quantize method dynamic" in screen


def test_a_table_and_data_are_explained_by_their_record(finished: Workbench) -> None:
    for file, rule in (
        ("reports/small_study/animals/table.csv", "compare"),
        ("data/small_study/tasks/animals/train.parquet", "download_dataset"),
        ("data/small_study/subsets/corn_30.parquet", "select_subset"),
    ):
        code, screen = finished.python("-m", "workflow_scripts.explain", str(finished.path(file)))
        assert code == 0, screen
        assert f"by {rule} on" in screen
        assert f"--force -- {file}" in screen


def test_for_a_missing_file_the_nearest_is_reported(finished: Workbench) -> None:
    code, screen = finished.python("-m", "workflow_scripts.explain", f"{NODES}/seed42/teacher/kd/metric.json")
    assert (code, screen) == (
        1,
        f"Error: there is no file {NODES}/seed42/teacher/kd/metric.json. "
        f"Did you mean {NODES}/seed42/teacher/kd/metrics.json?\n",
    )
    code, screen = finished.python("-m", "workflow_scripts.explain", "Snakefile")
    assert code == 1
    assert "is no output of a study" in screen
