import json
from pathlib import Path

import pytest

from constrictor.scheduling.wildcards import wildcards_of
from constrictor.scheduling.work import Work
from constrictor.scheduling.workload import Workload
from constrictor.study.plan import Plan

DATA = Path("data/small")


@pytest.fixture
def plan(larger) -> Plan:
    return larger()


@pytest.fixture
def workload(plan) -> Workload:
    return Workload(plan, DATA, has_gpus=True)


def write(file: Path, **content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def test_before_anything_is_fetched_the_usual_sizes_are_assumed(workload):
    assert workload.building("teacher", "reviews") == Work("train", 110_000_000, 12, 32, 128, 3 * 100_000, True)
    assert workload.fetching("tiny") == Work("fetch", 110_000_000, 12, batch=0)


def test_what_lies_there_is_used_as_soon_as_it_does(workload):
    workload.building("teacher", "reviews")
    write(DATA / "models/tiny/manifest.json", parameters=22_713_728, layers=6)
    write(DATA / "tasks/reviews/manifest.json", rows={"train": 800, "validation": 90, "test": 110})
    assert workload.building("teacher", "reviews") == Work("train", 22_713_728, 6, 32, 128, 3 * 800, True)
    assert workload.building("teacher/kd_wide", "reviews").rows == 3 * (2 * 800 + 100)
    assert workload.predicting("evaluate", "teacher", "reviews").rows == 90 + 2 * 110  # and an extra test set
    assert workload.predicting("label", "teacher", "reviews", "some").rows == 100
    assert workload.predicting("label", "teacher", "reviews", "train").rows == 800


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"layers": null}'])
def test_a_manifest_that_cannot_be_used_counts_as_none(workload, text):
    file = DATA / "models/tiny/manifest.json"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    assert workload.fetching("tiny").parameters == 110_000_000


@pytest.mark.parametrize(
    ("lineage", "stage", "gpu"),
    [
        ("teacher", "train", True),
        ("teacher/kd", "train", True),
        ("teacher/kd/mag", "train", True),
        ("teacher/qat", "train", True),
        ("teacher/nf4", "convert", True),
        ("teacher/kd/mag/onnx", "convert", False),
        ("teacher/kd/mag/onnx/int8", "convert", False),
        ("teacher/kd_wide/fp16", "convert", False),
    ],
)
def test_steps_that_train_use_a_gpu_and_those_that_rewrite_do_not(plan, workload, lineage, stage, gpu):
    work = workload.building(lineage, "reviews")
    assert (work.stage, work.gpu) == (stage, gpu)
    assert not Workload(plan, DATA, has_gpus=False).building(lineage, "reviews").gpu


@pytest.mark.parametrize(
    ("lineage", "gpu"),
    [
        ("teacher", True),
        ("teacher/nf4", True),
        ("teacher/kd_wide/fp16", True),
        ("teacher/int8", False),
        ("teacher/kd/mag/onnx", False),
        ("teacher/kd/mag/onnx/int8", False),
    ],
)
def test_a_model_is_evaluated_on_a_gpu_if_its_runtime_has_one(plan, workload, lineage, gpu):
    assert workload.predicting("evaluate", lineage, "reviews").gpu is gpu
    assert not Workload(plan, DATA, has_gpus=False).predicting("evaluate", lineage, "reviews").gpu


@pytest.mark.parametrize(
    ("lineage", "size", "batch"), [("teacher/wanda", 8, 32), ("teacher/wanda", 64, 64), ("teacher", 8, 8)]
)
def test_a_calibration_counts_where_its_batch_is_larger(larger, lineage, size, batch):
    wanda = {"stage": "prune", "method": "wanda", "sparsity": 0.5}
    plan = larger({"steps.wanda": wanda, f"steps.{lineage.split('/')[-1]}.batch_size": size})
    assert Workload(plan, DATA, has_gpus=True).building(lineage, "reviews").batch == batch


def test_the_largest_checkpoint_of_a_lineage_counts(larger):
    small = {"models.small": {"hub": "a/b"}, "steps.kd_wide.student": {"model": "small"}}
    workload = Workload(larger(small), DATA, has_gpus=True)
    for name, parameters in (("tiny", 22_713_728), ("small", 4_000_000)):
        write(DATA / f"models/{name}/manifest.json", parameters=parameters, layers=6)
    assert workload.building("teacher/kd_wide", "reviews").parameters == 22_713_728


@pytest.mark.parametrize("names", [[], ["one"], ["one", "two"]])
def test_further_test_sets_count_as_much_as_the_test_split(larger, names):
    plan = larger({"tasks.reviews.extra_test_sets": {name: {"path": "reviews.csv"} for name in names}})
    write(DATA / "tasks/reviews/manifest.json", rows={"train": 800, "validation": 90, "test": 110})
    rows = Workload(plan, DATA, has_gpus=True).predicting("evaluate", "teacher", "reviews").rows
    assert rows == 90 + (1 + len(names)) * 110


def test_timing_counts_the_baselines_with_the_model(plan, workload):
    latency = plan.study.report.latency
    work = workload.timing("teacher", "reviews")
    assert (work.stage, work.batch, work.length, work.gpu) == ("time", 32, 128, True)
    assert work.rows == (latency.rounds + 1) * 2 * (1 + 32) * (1 + len(plan.speed_baselines))


def test_a_converted_checkpoint_needs_the_memory_of_a_conversion(larger):
    plan = larger({"models.tiny.convert_pickle": True})
    assert Workload(plan, DATA, has_gpus=False).of("download_model", wildcards_of({"name": "tiny"})).stage == "convert"


@pytest.mark.parametrize(("lengths", "longest"), [([16, "task"], 64), ([16, 48], 48)])
def test_timing_counts_every_shape_on_every_number_of_threads(larger, lengths, longest):
    latency = {"batch_sizes": [1, 4], "lengths": lengths, "threads": [1, 2, 4], "rounds": 5}
    plan = larger({"report.latency": latency, "tasks.reviews.max_length": 64})
    work = Workload(plan, DATA, has_gpus=True).timing("teacher", "reviews")
    assert (work.batch, work.length) == (4, longest)
    assert work.rows == (5 + 1) * 2 * 3 * (1 + 4) * (1 + len(plan.speed_baselines))


@pytest.mark.parametrize(
    ("rule", "named", "stage"),
    [
        ("download_dataset", {"name": "reviews"}, "read"),
        ("download_model", {"name": "tiny"}, "fetch"),
        ("select_subset", {"fold": "", "name": "some"}, "read"),
        ("finetune", {"lineage": "teacher"}, "train"),
        ("distil", {"lineage": "teacher/kd"}, "train"),
        ("prune", {"lineage": "teacher/wanda"}, "train"),
        ("quantize", {"lineage": "teacher/nf4"}, "convert"),
        ("quantize_aware", {"lineage": "teacher/qat"}, "train"),
        ("export", {"lineage": "teacher/kd/mag/onnx"}, "convert"),
        ("teacher_outputs", {"lineage": "teacher", "subset": "some"}, "label"),
        ("evaluate", {"lineage": "teacher"}, "evaluate"),
        ("latency", {"lineage": "teacher"}, "time"),
        ("fair_baseline", {"lineage": "teacher"}, "time"),
        ("compare", {}, "compare"),
    ],
)
def test_every_rule_has_its_stage(workload, rule, named, stage):
    assert workload.of(rule, wildcards_of({"task": "reviews", "replicate": "seed1", **named})).stage == stage
