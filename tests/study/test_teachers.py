import pytest

from constrictor.errors import ConstrictorError
from constrictor.study.chain import chain_problem
from constrictor.study.read import read_study

MAG = {"stage": "prune", "method": "magnitude", "sparsity": 0.4, "finetune_epochs": 1}


def _mistakes(changed, changes) -> list[str]:
    with pytest.raises(ConstrictorError) as caught:
        read_study(changed(changes))
    return str(caught.value).split("\n  ")[1:]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"steps.kd.co_teachers": ["wid"]},
            "steps.kd.co_teachers: no recipe is called 'wid'. Did you mean 'wide'? Known: baseline, cpu, wide.",
        ),
        (
            {"steps.kd.co_teachers": ["cpu"]},
            "steps.kd.co_teachers: the recipe 'cpu' cannot be a teacher of 'teacher/kd', since it is built from it. Remove it",
        ),
        (
            {
                "steps.kd.co_teachers": ["cpu"],
                "recipes": {"baseline": "teacher", "other": "teacher/mag/kd", "cpu": "teacher/kd/mag/onnx/int8"},
            },
            "steps.kd.co_teachers: the recipe 'cpu' cannot be a teacher of 'teacher/kd', since it is built from it. Remove it",
        ),
        (
            {
                "steps.kd.co_teachers": ["wid"],
                "steps.last": {"stage": "distil", "student": {"layers": [0]}, "co_teachers": ["cpu"]},
                "recipes.last": "teacher/last",
            },
            "steps.kd.co_teachers: no recipe is called 'wid'. Did you mean 'wide'?",
        ),
        (
            {"steps.kd.co_teachers": ["baseline"]},
            "steps.kd.co_teachers: the recipe 'baseline' is the parent of 'teacher/kd' and thus its teacher already. Remove it",
        ),
        (
            {"steps.kd.co_teachers": ["wide", "wide"]},
            "steps.kd.co_teachers: found ['wide', 'wide']: 'wide' is listed twice",
        ),
        ({"steps.mag.co_teachers": ["wide"]}, "steps.mag.co_teachers: unknown key."),
    ],
)
def test_recipes_that_cannot_be_teachers_are_refused(changed, changes, message):
    (found,) = _mistakes(changed, changes)
    assert found.startswith(message)


def test_two_distillations_that_wait_for_each_other_are_refused(changed):
    found = _mistakes(changed, {"steps.kd.co_teachers": ["wide"], "steps.kd_wide.co_teachers": ["cpu"]})
    assert [line.partition(":")[0] for line in found] == ["steps.kd.co_teachers", "steps.kd_wide.co_teachers"]
    assert all("since it is built from it" in line for line in found)


def test_a_chain_of_teachers_is_no_circle(changed):
    changes = {
        "steps.kd.co_teachers": ["wide"],
        "steps.last": {"stage": "distil", "student": {"layers": [0]}, "co_teachers": ["wide", "cpu"]},
        "recipes.last": "teacher/last",
    }
    assert read_study(changed(changes)).steps["last"].co_teachers == ["wide", "cpu"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": 1.5}, "steps.kd.alpha: found 1.5: input should be less than or equal to 1."),
        ({"alpha": {"from": 0.9, "to": 2}}, "steps.kd.alpha.to: found 2: input should be less than or equal to 1."),
        ({"temperature": {"from": 0, "to": 2}}, "steps.kd.temperature.from: found 0: input should be greater than 0."),
        (
            {"temperature": {"form": 1, "from": 1, "to": 2}},
            "steps.kd.temperature.form: unknown key. Did you mean 'from'?",
        ),
        ({"loss": "mae"}, "steps.kd.loss: found 'mae'."),
        ({"hidden": {"layers": "first"}}, "steps.kd.hidden.layers: found 'first'."),
        ({"hidden": {"layers": {"a": 1}}}, "steps.kd.hidden.layers.a: found 'a': must be a whole number"),
        ({"hidden": {"weigth": 1}}, "steps.kd.hidden.weigth: unknown key. Did you mean 'weight'?"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(changed, changes, message):
    (found,) = _mistakes(changed, {f"steps.kd.{key}": value for key, value in changes.items()})
    assert found.startswith(message), found


@pytest.mark.parametrize(
    ("changes", "lineage", "reason"),
    [
        (
            {"steps.kd.hidden": {"layers": {0: 6}}}, "teacher/kd",
            "'kd': 'layers': the teacher has no layer 6: it has 6 layers, numbered 0 to 5.",
        ),
        (
            {"steps.kd.attention": {"layers": {2: 5}}}, "teacher/kd",
            "'kd': 'layers': the student has no layer 2: it has 2 layers, numbered 0 to 1.",
        ),
        (
            {"steps.kd_wide.hidden": {}}, "teacher/int8/kd_wide",
            "'kd_wide' distils hidden states or attention, and its teacher is torch-int8, int8. Use a float32 torch model",
        ),
        (
            {"steps.kd_wide.attention": {}}, "teacher/onnx/kd_wide",
            "'kd_wide' distils hidden states or attention, and its teacher is onnx, fp32.",
        ),
        (
            {"steps.mag": {**MAG, "hidden": {}}}, "teacher/mag",
            "'mag' distils hidden states or attention, and has no teacher. Name one: 'teacher: teacher'.",
        ),
        (
            {"steps.mag": {**MAG, "hidden": {"layers": {2: 2}}}}, "teacher/kd/mag",
            "'mag': 'layers': the student has no layer 2: it has 2 layers, numbered 0 to 1.",
        ),
        (
            {"steps.mag": {**MAG, "hidden": {}}}, "teacher/int8/kd_wide/mag",
            "'mag' distils hidden states or attention, and its teacher is torch-int8, int8.",
        ),
        (
            {"steps.mag": {**MAG, "hidden": {}}, "steps.words": {"stage": "prune", "method": "vocabulary"}},
            "teacher/kd/words/mag",
            "'mag' distils hidden states or attention, and 'words' gives it another vocabulary than its teacher's.",
        ),
    ],
)  # fmt: skip
def test_feature_distillation_that_cannot_work_is_refused_with_the_reason(changed, changes, lineage, reason):
    found = _mistakes(changed, {**changes, "recipes.step": lineage})
    (line,) = [line for line in found if f"cannot be built: {reason}" in line]
    assert line.startswith(f"recipes.step: '{lineage}'") or "step" in line.partition("The same holds for: ")[2].rstrip(
        "."
    ).split(", ")


def test_the_teacher_may_come_after_the_pruned_vocabulary(changed):
    changes = {
        "steps.words": {"stage": "prune", "method": "vocabulary"},
        "steps.mag": {**MAG, "hidden": {}, "attention": {}, "teacher": "words"},
        "recipes.cpu": "teacher/words/kd/mag",
    }
    assert chain_problem(read_study(changed(changes)), "teacher/words/kd/mag") is None
