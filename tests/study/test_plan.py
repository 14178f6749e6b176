import subprocess
import sys
from pathlib import Path

import pytest

from constrictor.study.check import chain_problem
from constrictor.study.plan import Plan
from constrictor.study.read import read_study

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plan(changed) -> Plan:
    return Plan(read_study(changed({"replicates": {"seeds": [3, 1]}})))


def test_steps_of_a_stage_in_the_order_of_the_file(plan):
    assert plan.steps("quantize") == ["fp16", "int8"]
    assert plan.steps("distil") == ["kd", "kd_wide"]


def test_lineages_are_all_nodes_parents_first(plan):
    assert plan.lineages == [
        "teacher", "teacher/kd", "teacher/kd/mag", "teacher/kd/mag/onnx", "teacher/kd/mag/onnx/int8",
        "teacher/kd_wide", "teacher/kd_wide/fp16",
    ]  # fmt: skip
    assert plan.replicates == ["seed3", "seed1"]


def test_where_a_step_starts(plan):
    assert plan.start_model("teacher") == "minilm"
    assert plan.start_model("teacher/kd_wide") == "minilm"
    assert plan.start_model("teacher/kd") is None
    assert plan.start_model("teacher/kd/mag") is None


def test_who_taught_a_model(plan):
    assert plan.teaching("teacher") is None
    for lineage in ("teacher/kd", "teacher/kd/mag/onnx"):
        assert plan.teaching(lineage).teacher == "teacher"
        assert plan.teaching(lineage).step is plan.study.steps["kd"]
    assert plan.teaching("teacher/kd/mag/kd_wide").teacher == "teacher/kd/mag"
    assert plan.teaching("teacher/kd").soft_targets.model_dump() == {"alpha": 0.5, "temperature": 2.0}


def test_speed_baselines_are_the_baseline_and_its_export(plan, changed):
    assert plan.speed_baselines == {"torch fp32": "teacher", "ONNX fp32": "teacher/onnx"}
    without = changed({"steps.onnx": ..., "recipes.cpu": "teacher/kd/int8"})
    assert Plan(read_study(without)).speed_baselines == {"torch fp32": "teacher"}


@pytest.mark.parametrize("baseline", ["teacher/onnx", "teacher/fp16", "teacher/int8"])
def test_speed_baselines_can_be_built_whatever_the_baseline(changed, baseline):
    study = read_study(changed({"recipes.baseline": baseline}))
    for name, lineage in Plan(study).speed_baselines.items():
        assert chain_problem(study, lineage) is None, name


def test_comparison_reads_its_slice_only(plan):
    assert plan.comparison == {
        "baseline": "baseline", "control": None, "margin": 0.01, "resamples": 10_000,
        "recipes": plan.study.recipes, "replicates": ["seed3", "seed1"],
    }  # fmt: skip


def test_planning_imports_nothing_heavy():
    program = f"""
import sys
from constrictor.study.code_digest import code_digest
from constrictor.study.plan import Plan
from constrictor.study.read import load_study
plan = Plan(load_study({str(ROOT / "config.yaml")!r}))
assert plan.lineages and plan.comparison and plan.speed_baselines
assert len(code_digest("workflow_scripts.distil")) == 16
heavy = {{"torch", "transformers", "datasets", "pandas", "numpy", "pyarrow", "tokenizers", "onnxruntime", "snakemake"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
