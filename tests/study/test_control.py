import pytest

from constrictor.study.read import read_study


@pytest.fixture
def derived(changed):
    """Reads the small study with a control that is derived from a recipe."""
    return lambda of, changes: read_study(changed({"report.control": {"of": of}, **changes}))


def test_control_has_the_same_start_and_steps_with_labels_alone(derived):
    study = derived("cpu", {"steps.kd.hidden": {"loss": "mse"}, "steps.kd.epochs": 7})
    assert study.recipes["cpu"] == "teacher/kd/mag/onnx/int8"
    assert study.recipes["control"] == "teacher/kd-labels/mag/onnx/int8"
    assert study.report.control == "control"
    assert study.steps["kd-labels"] == study.steps["kd"].model_copy(update={"alpha": 0.0, "hidden": None})
    assert study.steps["kd-labels"].epochs == 7


def test_every_step_that_learns_from_a_teacher_is_replaced_and_no_other(derived):
    study = derived("cpu", {"steps.mag.finetune_epochs": 1, "steps.mag.alpha": 0.7, "steps.mag.teacher": "kd"})
    assert study.recipes["control"] == "teacher/kd-labels/mag-labels/onnx/int8"
    found = study.steps["mag-labels"]
    assert (found.alpha, found.teacher, found.sparsity) == (0, None, 0.4)
    assert study.steps["mag"].alpha == 0.7


def test_grid_of_the_teaching_has_one_control(derived):
    study = derived("wide", {"steps.kd_wide.grid": {"alpha": [0.2, 0.4], "temperature": [1, 2], "loss": ["kl", "mse"]}})
    assert study.recipes["control"] == "teacher/kd_wide-labels/fp16"
    assert len(study.variants["wide"]) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"report.control": {"of": "wid"}}, "report.control.of: no recipe is called 'wid'. Did you mean 'wide'?"),
        ({"report.control": {"of": "baseline"}}, "report.control.of: 'baseline' learns from no teacher: a control would be"),
        (
            {"report.control": {"of": "wide"}, "recipes.control": "teacher/onnx"},
            "recipes.control: the name is that of the derived control. Choose another.",
        ),
        (
            {"report.control": {"of": "wide"}, "steps.kd_wide.grid": {"lr": [0.2, 0.4]}},
            "report.control.of: a grid expands 'wide' into several with different controls. Name one: wide-lr0.2, wide-lr0.4.",
        ),
        ({"report.control": {"of": "wide"}, "recipes.wide": "teacher/kd_wid"}, "recipes.wide: 'teacher/kd_wid'"),
        ({"report.control": {}}, "report.control.of: this key is missing."),
        (
            {"report.control": {"of": "wide"}, "steps.kd_wide-labels": {"stage": "export"}},
            "steps.kd_wide-labels: the name is that of a step of the derived control. Choose another.",
        ),
    ],
)  # fmt: skip
def test_controls_that_cannot_be_derived_are_refused(mistake, changes, message):
    assert message in mistake(changes)
