import json
from pathlib import Path

import pytest

from constrictor.scheduling.paths import Layout
from constrictor.scheduling.trainings import NO_PLAN, Trainings
from constrictor.scheduling.wildcards import wildcards_of
from constrictor.study.training_plan import TrainingPlan

NODE = "results/small/reviews/seed1"
TRAIN, SOME = "data/small/tasks/reviews/train.parquet", "data/small/subsets/some.parquet"


@pytest.fixture
def trainings(larger):
    """The trainings of the larger study with changes."""

    def make(changes=None) -> Trainings:
        plan = larger(changes)
        return Trainings(plan, Layout(plan.study))

    return make


def at(lineage: str, replicate: str = "seed1"):
    return wildcards_of({"task": "reviews", "replicate": replicate, "lineage": lineage})


def outputs(teacher: str, subset: str) -> str:
    return f"{NODE}/{teacher}/outputs/{subset}.parquet"


def sets(plan: TrainingPlan) -> list[tuple[str, list[str], int]]:
    return [(str(part.examples), list(map(str, part.outputs)), part.repeats) for part in plan.sets]


def test_a_fine_tuning_reads_the_training_split_once_and_no_teacher(trainings):
    plan = trainings().plan(at("teacher"))
    assert sets(plan) == [(TRAIN, [], 1)]
    assert (plan.soft_targets, plan.teacher) == (None, None)
    assert trainings().files(at("teacher")) == [TRAIN]
    assert trainings().files(at("teacher", "seed1-fold1")) == ["data/small/tasks/reviews/fold1/train.parquet"]


def test_a_distillation_reads_its_sets_with_the_outputs_of_the_parent(trainings):
    plan = trainings().plan(at("teacher/kd_wide"))
    assert sets(plan) == [(SOME, [outputs("teacher", "some")], 1), (TRAIN, [outputs("teacher", "train")], 2)]
    assert plan.soft_targets.alpha == 0.5
    assert plan.teacher is None
    assert trainings().files(at("teacher/kd_wide")) == [
        SOME,
        outputs("teacher", "some"),
        TRAIN,
        outputs("teacher", "train"),
    ]


def test_every_teacher_adds_a_file_to_each_set_and_the_parent_comes_first(trainings):
    changes = {"steps.kd_wide.co_teachers": ["four", "eight"], "steps.kd_wide.loss": "mse"}
    plan = trainings(changes).plan(at("teacher/kd_wide"))
    assert sets(plan)[1] == (TRAIN, [outputs(name, "train") for name in ("teacher", "teacher/nf4", "teacher/int8")], 2)
    assert plan.soft_targets.loss == "mse"


def test_an_online_teacher_is_named_and_is_an_input(trainings):
    distillation = trainings({"steps.kd.hidden": {}})
    assert distillation.plan(at("teacher/kd")).teacher == Path(f"{NODE}/teacher/model")
    assert distillation.files(at("teacher/kd"))[-1] == f"{NODE}/teacher/model/manifest.json"


def test_a_recovery_finetuning_has_the_teacher_of_the_last_distillation(trainings):
    recovered = trainings({"steps.mag.finetune_epochs": 1, "steps.mag.train_on": ["some"], "steps.kd.alpha": 0.9})
    plan = recovered.plan(at("teacher/kd/mag"))
    assert sets(plan) == [(SOME, [outputs("teacher", "some")], 1)]
    assert plan.soft_targets.alpha == 0.9


def test_a_recovery_finetuning_without_a_teacher_uses_labels(trainings):
    plan = trainings({"steps.wanda.finetune_epochs": 1}).plan(at("teacher/wanda"))
    assert (sets(plan), plan.soft_targets) == ([(TRAIN, [], 1)], None)


def test_a_quantization_aware_training_is_distilled_from_its_parent(trainings):
    assert sets(trainings().plan(at("teacher/qat"))) == [(TRAIN, [outputs("teacher", "train")], 1)]


@pytest.mark.parametrize("lineage", ["teacher/kd/mag", "teacher/int8", "teacher/onnx", "teacher/static"])
def test_what_trains_nothing_has_no_plan_and_reads_no_training_set(trainings, lineage):
    assert trainings().plan(at(lineage)) is None
    assert json.loads(trainings().plan_json(at(lineage))) is None
    assert trainings().plan_json(at(lineage)) == NO_PLAN
    assert trainings().files(at(lineage)) == []


def test_the_json_of_a_plan_is_read_as_the_same_plan(trainings):
    made = trainings({"steps.kd.attention": {}})
    for lineage in ("teacher", "teacher/kd", "teacher/kd_wide", "teacher/qat"):
        assert TrainingPlan.model_validate_json(made.plan_json(at(lineage))) == made.plan(at(lineage))


def test_the_json_of_a_plan_does_not_depend_on_the_order_of_keys(trainings):
    one, two = ({"steps.kd_wide.train_on": on} for on in ({"train": 2, "some": 1}, {"some": 1, "train": 2}))
    assert trainings(one).plan_json(at("teacher/kd_wide")) == trainings(two).plan_json(at("teacher/kd_wide"))


def test_quantizations_are_told_apart_by_whether_they_train(trainings):
    assert trainings().steps("quantize", trains=True) == ["qat"]
    assert trainings().steps("quantize", trains=False) == ["fp16", "nf4", "int8", "static"]


def test_the_comparison_reads_the_record_of_every_training_and_the_subsets_that_were_trained_on(trainings):
    wildcards = wildcards_of({"task": "reviews"})
    trained = [
        "teacher",
        "teacher/kd",
        "teacher/kd/mag",
        "teacher/kd_wide",
        "teacher/qat",
        "teacher/wanda",
        "teacher/words",
    ]
    records = trainings().records(wildcards)
    assert sorted(records) == sorted(
        f"results/small/reviews/seed{seed}/{lineage}/training.json" for seed in (1, 2) for lineage in trained
    )
    assert trainings().subsets(wildcards) == [SOME]
    folds = trainings({"replicates": {"seeds": [1], "folds": 2}, "steps.kd_wide.train_on": ["few", "some"]})
    assert folds.subsets(wildcards) == [*(f"data/small/subsets/fold{fold}/few.parquet" for fold in (0, 1)), SOME]


def test_a_subset_of_a_recovery_without_epochs_is_not_selected(trainings):
    none = trainings({"steps.kd_wide.train_on": ["train"], "steps.mag.train_on": ["some"]})
    assert none.subsets(wildcards_of({"task": "reviews"})) == []
