import subprocess
import sys
from pathlib import Path

import pytest

from constrictor.comparison.row import Comparison
from constrictor.machine import Machine
from constrictor.study.chain import chain_problem
from constrictor.study.plan import Plan
from constrictor.study.read import load_study, read_study
from constrictor.study.steps.distil import SoftTargets

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


@pytest.fixture
def recovering(changed) -> Plan:
    """A plan in which steps recover after the damage, with and without a teacher."""
    mag = {"stage": "prune", "method": "magnitude", "sparsity": 0.4, "finetune_epochs": 1}
    return Plan(
        read_study(
            changed(
                {
                    "steps.mag": mag,
                    "steps.taught": {**mag, "teacher": "teacher", "alpha": 0.9},
                    "steps.warm": {**mag, "teacher": "teacher", "temperature": 8},
                    "steps.damaged": {**mag, "finetune_epochs": 0},
                    "steps.qat": {"stage": "quantize", "method": "qat"},
                    "steps.kd_wide.alpha": 0.8,
                    "steps.kd_wide.temperature": 4,
                }
            )
        )
    )


@pytest.mark.parametrize(
    ("lineage", "teacher", "alpha", "temperature"),
    [
        ("teacher/kd/mag", "teacher", 0.5, 2),
        ("teacher/kd/mag/mag", "teacher", 0.5, 2),  # a step without a teacher of its own lies between
        ("teacher/mag/kd_wide/mag", "teacher/mag", 0.8, 4),  # the last distillation's teacher and mixture
        ("teacher/taught", "teacher", 0.9, 2),
        ("teacher/mag/kd_wide/taught", "teacher", 0.9, 4),
        ("teacher/mag/kd_wide/warm", "teacher", 0.8, 8),
        ("teacher/mag/qat", "teacher/mag", 0.5, 2),  # the unquantized parent
        ("teacher/mag/kd_wide/qat", "teacher/mag/kd_wide", 0.8, 4),
    ],
)
def test_the_teacher_of_a_recovery_finetuning(recovering, lineage, teacher, alpha, temperature):
    assignment = recovering.teacher_assignment(lineage)
    assert assignment.teacher == teacher
    assert assignment.distillation == SoftTargets(alpha=alpha, temperature=temperature)


@pytest.mark.parametrize("lineage", ["teacher", "teacher/mag", "teacher/kd/damaged", "teacher/kd/mag/fp16"])
def test_labels_alone_are_used_or_nothing_is_trained(recovering, lineage):
    assert recovering.teacher_assignment(lineage) is None


@pytest.mark.parametrize(
    ("lineage", "teacher"),
    [
        ("teacher/kd/mag/by_mag", "teacher/kd/mag"),
        ("teacher/mag/kd/mag/by_mag", "teacher/mag/kd/mag"),  # the nearest of that name
        ("teacher/kd/by_kd", "teacher/kd"),  # a named teacher goes before the distillation's
        ("teacher/kd/mag/qat_by_kd", "teacher/kd"),  # and before the parent
    ],
)
def test_a_named_teacher_is_the_nearest_above_of_that_name(changed, lineage, teacher):
    mag = {"stage": "prune", "method": "magnitude", "sparsity": 0.4, "finetune_epochs": 1}
    named = {
        "steps.mag": mag,
        "steps.by_mag": {**mag, "teacher": "mag"},
        "steps.by_kd": {**mag, "teacher": "kd"},
        "steps.qat_by_kd": {"stage": "quantize", "method": "qat", "teacher": "kd"},
    }
    study = read_study(changed(named))
    assert chain_problem(study, lineage) is None
    assert Plan(study).teacher_assignment(lineage).teacher == teacher


def test_speed_baselines_are_the_baseline_and_its_export(plan, changed):
    assert plan.speed_baselines == {"torch fp32": "teacher", "ONNX fp32": "teacher/onnx"}
    without = changed({"steps.onnx": ..., "recipes.cpu": "teacher/kd/int8"})
    assert Plan(read_study(without)).speed_baselines == {"torch fp32": "teacher"}


@pytest.mark.parametrize(
    ("exports", "chosen"),
    [
        ({"lean": {"optimize": True}, "plain": {}}, "plain"),  # our rewrites do not hide in the baseline
        ({"fixed": {"shape": [1, 32]}, "plain": {"opset": 18}}, "plain"),
        ({"ov": {"format": "openvino"}, "ort": {"format": "ort"}, "plain": {}}, "plain"),
        ({"plain": {}, "second": {}}, "plain"),
        ({"lean": {"optimize": True}}, "lean"),  # better than none
        ({"ov": {"format": "openvino"}}, None),
    ],
)
def test_the_plain_export_is_the_onnx_baseline(changed, exports, chosen):
    steps = {f"steps.{name}": {"stage": "export", **settings} for name, settings in exports.items()}
    study = changed({"steps.onnx": ..., "steps.ov": ..., "recipes.cpu": "teacher/kd/int8"} | steps)
    assert Plan(read_study(study)).speed_baselines.get("ONNX fp32") == (chosen and f"teacher/{chosen}")


@pytest.mark.parametrize("baseline", ["teacher/onnx", "teacher/fp16", "teacher/int8"])
def test_speed_baselines_can_be_built_whatever_the_baseline(changed, baseline):
    study = read_study(changed({"recipes.baseline": baseline}))
    for name, lineage in Plan(study).speed_baselines.items():
        assert chain_problem(study, lineage) is None, name


def test_comparison_reads_its_slice_only(plan):
    assert plan.comparison == {
        "baseline": "baseline", "control": None, "margin": 0.01, "intervals": None,
        "recipes": plan.study.recipes, "replicates": ["seed3", "seed1"], "folds": None, "gates": {},
    }  # fmt: skip


def test_a_number_of_resamples_is_accepted_and_changes_nothing(changed):
    with_it, without = (Plan(read_study(changed(changes))) for changes in ({"report.resamples": 2000}, {}))
    assert with_it.comparison == without.comparison


def test_gates_are_passed_to_the_comparison_and_to_no_step(changed):
    gate = {"max_drop": 0.02}
    without, gated = (
        Plan(read_study(changed(changes)))
        for changes in ({}, {"steps.mag.gate": gate, "steps.fp16.gate": gate, "steps.ov.gate": gate})
    )
    # Wherever the step occurs; the export to OpenVINO is in no recipe.
    assert gated.comparison["gates"] == {"teacher/kd/mag": 0.02, "teacher/kd_wide/fp16": 0.02}
    assert Comparison.model_validate(gated.comparison).gates == gated.comparison["gates"]
    for lineage in gated.lineages:
        assert gated.step(lineage).canonical() == without.step(lineage).canonical()


def test_planning_imports_nothing_heavy():
    program = f"""
import sys
from constrictor.scheduling.code_digest import code_digest
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


def test_models_that_the_machine_is_slow_at_are_named(monkeypatch):
    machine = Machine(gpu=False, int8_dot_product=True, bf16_products=True)
    monkeypatch.setattr("constrictor.study.plan.this_machine", lambda: machine)
    (lineage, reason), *others = Plan(load_study(ROOT / "config.yaml")).slow_here.items()
    assert lineage == "teacher/kd/mag40/fp16"
    assert reason.startswith("processors have no fast fp16 products")
    assert others == []


def test_teachers_beside_the_parent_are_recipes(changed):
    changes = {"steps.kd.co_teachers": ["wide", "cpu_wide"], "recipes.cpu_wide": "teacher/kd_wide/onnx/int8"}
    plan = Plan(read_study(changed(changes)))
    assert plan.teachers("teacher/kd") == ["teacher", "teacher/kd_wide/fp16", "teacher/kd_wide/onnx/int8"]
    assert plan.teachers("teacher/kd_wide") == ["teacher"]
    assert plan.teachers("teacher/mag/kd") == ["teacher/mag", *plan.teachers("teacher/kd")[1:]]


def test_a_recovery_finetuning_distils_features_of_its_own_step(changed):
    mag = {"stage": "prune", "method": "magnitude", "sparsity": 0.4, "finetune_epochs": 1, "hidden": {"layers": "last"}}
    kd = {"steps.kd.loss": "mse", "steps.kd.attention": {}, "steps.kd.alpha": {"from": 0.9, "to": 0.1}}
    assignment = Plan(read_study(changed({"steps.mag": mag, **kd}))).teacher_assignment("teacher/kd/mag")
    assert assignment.distillation == SoftTargets.model_validate(
        {"loss": "mse", "alpha": {"from": 0.9, "to": 0.1}, "hidden": {"layers": "last"}}
    )
    assert assignment.distillation.needs_online_teacher
