import pytest

from constrictor.errors import ConstrictorError
from constrictor.study.grid import expand_grids
from constrictor.study.read import read_study


def _expand(steps, recipes):
    found = expand_grids({"steps": steps, "recipes": recipes, "name": "x"})
    assert found["name"] == "x"
    return found["steps"], found["recipes"]


def test_two_keys_give_every_combination_named_by_its_values():
    steps, recipes = _expand(
        {
            "teacher": {"stage": "finetune"},
            "kd": {"stage": "distil", "grid": {"alpha": [0.5, 0.9], "temperature": [2, 4]}},
        },
        {"big": "teacher", "small": "teacher/kd"},
    )
    names = [f"kd-alpha{alpha}-temperature{temperature}" for alpha in (0.5, 0.9) for temperature in (2, 4)]
    assert list(steps) == ["teacher", *names]
    assert steps["kd-alpha0.9-temperature2"] == {"stage": "distil", "alpha": 0.9, "temperature": 2}
    assert recipes == {"big": "teacher", **{name.replace("kd", "small"): f"teacher/{name}" for name in names}}


def test_two_grids_in_one_recipe_are_combined():
    _, recipes = _expand({"a": {"grid": {"x": [1, 2]}}, "b": {"grid": {"y": [3, 4]}}}, {"r": "a/b"})
    assert recipes == {
        "r-x1-y3": "a-x1/b-y3", "r-x1-y4": "a-x1/b-y4", "r-x2-y3": "a-x2/b-y3", "r-x2-y4": "a-x2/b-y4",
    }  # fmt: skip


def test_lists_and_mappings_become_part_of_a_name():
    steps, _ = _expand({"kd": {"grid": {"student": [{"layers": [0, 2]}], "train_on": [["train", "some"]]}}}, {})
    assert list(steps) == ["kd-studentlayers0-2-train_ontrain-some"]


def test_a_study_with_a_grid_is_read(changed):
    study = read_study(changed({"steps.mag.grid": {"sparsity": [0.2, 0.6]}, "steps.mag.sparsity": ...}))
    assert study.steps["mag-sparsity0.6"].sparsity == 0.6
    assert study.recipes["cpu-sparsity0.2"] == "teacher/kd/mag-sparsity0.2/onnx/int8"


def test_key_in_the_step_and_in_its_grid():
    with pytest.raises(ConstrictorError, match=r"steps\.kd: 'alpha' is set in the step and in its grid"):
        _expand({"kd": {"alpha": 0.1, "grid": {"alpha": [0.5]}}}, {})


@pytest.mark.parametrize("grid", [{}, [1], "alpha", {"alpha": 0.5}, {"alpha": []}])
def test_grid_that_is_none(grid):
    with pytest.raises(ConstrictorError, match=r"steps\.kd\.grid: must map keys of the step to lists of values"):
        _expand({"kd": {"grid": grid}}, {})


def test_mistakes_of_a_grid_stand_in_the_list_with_their_line(study_file):
    from constrictor.study.read import load_study

    file = study_file({"steps.mag.grid": {"sparsity": [0.2]}})
    line = file.read_text(encoding="utf-8").splitlines().index("  mag:") + 1
    with pytest.raises(ConstrictorError, match=rf"one mistake:\n.*:{line}: steps\.mag: 'sparsity' is set in the step"):
        load_study(file)


@pytest.mark.parametrize("key", ["sparsty", "sparsity"])
def test_a_mistake_within_a_grid_has_its_own_line(study_file, key):
    from constrictor.study.read import load_study

    file = study_file({"steps.mag.grid": {key: [7]}, "steps.mag.sparsity": ...})
    line = next(n for n, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if f"  {key}:" in text)
    with pytest.raises(ConstrictorError, match=rf":{line}: steps\.mag-{key}7\.{key}: "):
        load_study(file)


def test_a_baseline_that_a_grid_makes_several_of_is_named_with_them(changed):
    changes = {"steps.teacher.grid": {"epochs": [1, 2]}}
    with pytest.raises(
        ConstrictorError, match="A grid expands it into several, and one is needed: baseline-epochs1, baseline-epochs2"
    ):
        read_study(changed(changes))


@pytest.mark.parametrize("part", ["steps", "recipes"])
def test_a_name_that_is_a_number_is_left_to_the_models(part):
    raw = {"steps": {"teacher": {"grid": {"epochs": [1]}}}, "recipes": {"r": "teacher"}}
    raw[part][40] = raw[part].popitem()[1]
    assert "40" in str(expand_grids(raw)[part])


def test_a_recipe_that_a_grid_makes_several_of_is_a_target_still(changed):
    study = read_study(changed({"steps.mag.grid": {"sparsity": [0.2, 0.6]}, "steps.mag.sparsity": ...}))
    assert study.targets["cpu"] == [f"teacher/kd/mag-sparsity{share}/onnx/int8" for share in (0.2, 0.6)]
    assert study.targets["cpu-sparsity0.6"] == study.targets["cpu"][1:]
    assert study.targets["baseline"] == ["teacher"]


def test_the_name_of_such_a_target_may_not_be_taken(changed):
    changes = {"steps.mag.grid": {"sparsity": [0.2]}, "steps.mag.sparsity": ..., "recipes.all": "teacher/mag"}
    with pytest.raises(ConstrictorError, match=r"recipes\.all: the name is reserved: 'all' is a target"):
        read_study(changed(changes))


def test_combinations_that_would_get_one_name_are_not_lost():
    try:
        steps, _ = _expand({"kd": {"grid": {"train_on": [["a", "b"], ["a-b"]]}}}, {})
    except ConstrictorError:
        return
    assert len(steps) == 2


def test_malformed_studies_are_left_to_the_models():
    assert expand_grids({"steps": []}) == {"steps": []}
    assert expand_grids({"steps": {"a": 1}, "recipes": {"r": 2}}) == {"steps": {"a": 1}, "recipes": {"r": 2}}
