import re
from pathlib import Path

import pytest

from constrictor.errors import ConstrictorError
from constrictor.study.check import RULES
from constrictor.study.read import read_study

ROOT = Path(__file__).resolve().parents[2]


def test_the_names_of_all_rules_are_taken():
    files = [ROOT / "Snakefile", *ROOT.glob("rules/*.smk")]
    named = re.compile(r"^ *(?:use rule \w+ as|rule) (\w+)", re.MULTILINE)
    assert {name for file in files for name in named.findall(file.read_text(encoding="utf-8"))} == RULES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipes.cpu": "teacher/kdd"}, "recipes.cpu: 'teacher/kdd': no step is called 'kdd'. Did you mean 'kd'?"),
        ({"steps.teacher.model": "minilmm"}, "steps.teacher.model: no model is called 'minilmm'. Did you mean 'minilm'?"),
        ({"steps.kd_wide.student": {"model": "mini"}}, "steps.kd_wide.student.model: no model is called 'mini'."),
        ({"steps.kd_wide.on": ["train", "sme"]}, "steps.kd_wide.on: no subset is called 'sme'. Did you mean 'some'?"),
        ({"subsets.some.of": "review"}, "subsets.some.of: no task or corpus is called 'review'. Did you mean 'reviews'?"),
        ({"subsets.some.stratify": True}, "subsets.some.stratify: the corpus 'sentences' has no classes. Leave the key out."),
        ({"report.baseline": "baselin"}, "report.baseline: no recipe is called 'baselin'. Did you mean 'baseline'?"),
        ({"tasks.reviews.extra_tests": {"more": {"path": "no.csv"}}}, "tasks.reviews.extra_tests.more: the file no.csv does"),
        ({"tasks.reviews.max_samples": 9, "replicates": {"folds": 3}}, "tasks.reviews.max_samples: folds draw their training"),
        ({"recipes.download_extra_test_set": "teacher/kd"}, "recipes.download_extra_test_set: the name is taken"),
        ({"report.control": "contrl"}, "report.control: no recipe is called 'contrl'."),
        ({"steps.model": {"stage": "export"}}, "steps.model: the name is taken: a model's folder holds a 'model' already."),
        ({"steps.logs": {"stage": "export"}}, "steps.logs: the name is taken"),
        ({"recipes.all": "teacher/kd"}, "recipes.all: the name is taken: 'all' is a target of the workflow."),
        ({"recipes.finetune": "teacher/kd"}, "recipes.finetune: the name is taken"),
        ({"subsets.train": {"of": "sentences", "size": 5}}, "subsets.train: the name is taken"),
        ({"corpora.reviews": {"source": {"path": "x.csv"}}}, "corpora.reviews: a task has the same name."),
        (
            {"steps.teacher.model": {"from": "minilm", "layers": [0, 6]}, "recipes": {"baseline": "teacher"}},
            "steps.teacher.model: the model 'minilm' has no layer 6: it has 6 layers, counted 0 to 5.",
        ),
        (
            {"steps.teacher.model": {"from": "minilm", "layers": [2, 0]}, "recipes": {"baseline": "teacher"}},
            "steps.teacher.model: the layers [2, 0] must rise, each named once: [0, 2].",
        ),
    ],
)  # fmt: skip
def test_names_and_layers_that_do_not_exist(mistake, changes, message):
    assert mistake(changes).startswith(message)


def _with(step, recipe="teacher/step", **changes):
    return {"steps.step": {"stage": "prune", "finetune_epochs": 1, **step}, "recipes.cpu": recipe, **changes}


LABELLED = {"subsets.few": {"of": "reviews", "size": 100}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            _with({"method": "wanda", "sparsity": 0.5, "calibration": "sme"}),
            "steps.step.calibration: no subset is called 'sme'. Did you mean 'some'?",
        ),
        (
            _with({"method": "vocabulary", "text": ["train", "sme"]}),
            "steps.step.text: no subset is called 'sme'. Did you mean 'some'?",
        ),
        (
            _with({"method": "wanda", "sparsity": 0.5, "calibration": "few"}, **LABELLED),
            "steps.step.calibration_size: 'few' has 100 examples and the step wants to look at 256.",
        ),
        (
            {"steps.static": {"stage": "quantize", "method": "static", "calibration": "some"}},
            "steps.static.calibration_size: 'some' has 100 examples and the step wants to look at 256.",
        ),
        (
            _with({"method": "structured", "heads": 0.5, "calibration": "some", "calibration_size": 64}),
            "steps.step.calibration: the score 'taylor' needs labels, and 'some' is unlabelled text.",
        ),
        (
            _with({"method": "layers", "keep": [0, 6]}),
            "recipes.cpu: 'teacher/step' cannot be built: the model that 'step' prunes has no layer 6: it has 6 layers",
        ),
        (
            _with({"method": "layers", "keep": [0, 2]}, "teacher/kd/step"),
            "recipes.cpu: 'teacher/kd/step' cannot be built: the model that 'step' prunes has no layer 2: it has 2 layers",
        ),
        (
            _with({"method": "magnitude", "sparsity": 0.4, "on": ["train", "some"]}),
            "recipes.cpu: 'teacher/step' cannot be built: 'step' recovers on 'some', which has no labels, and nothing "
            "teaches it. Name the teacher: 'teacher: teacher'.",
        ),
        (
            _with({"method": "magnitude", "sparsity": 0.4, "teacher": "teachr"}),
            "recipes.cpu: 'teacher/step' cannot be built: the teacher 'teachr' of 'step' does not come before it. "
            "Did you mean 'teacher'?",
        ),
    ],
)  # fmt: skip
def test_calibration_and_recovery_that_cannot_work(mistake, changes, message):
    assert mistake(changes).startswith(message)


@pytest.mark.parametrize(
    "changes",
    [
        _with({"method": "wanda", "sparsity": 0.5, "calibration": "some", "calibration_size": 100}),
        _with({"method": "structured", "heads": 0.5, "score": "activation", "calibration": "some", "calibration_size": 64}),
        _with({"method": "structured", "heads": 0.5, "calibration": "few", "calibration_size": 64}, **LABELLED),
        _with({"method": "magnitude", "sparsity": 0.4, "on": ["train", "some"]}, "teacher/kd/step"),
        _with({"method": "magnitude", "sparsity": 0.4, "on": ["some"], "teacher": "teacher"}),
        _with({"method": "layers", "keep": [0, 1]}, "teacher/kd/step"),
    ],
)  # fmt: skip
def test_calibration_and_recovery_that_can_work(changed, changes):
    assert read_study(changed(changes))


def test_negative_layers_are_refused(changed):
    changes = {"steps.teacher.model": {"from": "minilm", "layers": [-2, 0]}, "recipes": {"baseline": "teacher"}}
    with pytest.raises(ConstrictorError, match=r"steps\.teacher\.model"):
        read_study(changed(changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks.reviews.source": {"path": "nowhere.csv"}}, "the file nowhere.csv does not exist (looked in /"),
        ({"corpora.sentences.source": {"path": "nowhere.csv"}}, "the file nowhere.csv does not exist"),
        (
            {"tasks.reviews.source": {"train": {"path": "x.csv"}, "test": {"path": "nowhere.csv"}}},
            "tasks.reviews.source.test: the file nowhere.csv does not exist",
        ),
        ({"tasks.reviews.source": {"path": "a<b>.csv"}}, "'a<b>.csv' holds one of < > { }, which Snakemake"),
        ({"models.minilm": {"path": "a{b}"}}, "'a{b}' holds one of < > { }, which Snakemake"),
        ({"models.minilm": {"path": "nowhere"}}, "the model folder nowhere does not exist"),
        ({"models.minilm": {"package": "no-such", "folder": "x"}}, "the package 'no-such' is not installed."),
    ],
)
def test_sources_that_are_not_on_this_machine(mistake, changes, message):
    assert message in mistake(changes)


@pytest.mark.parametrize("recipe", ["", "teacher/", "/teacher", "teacher//kd", "teacher / kd", "teacher -> kd"])
def test_recipes_that_are_no_path(mistake, recipe):
    expected = f"recipes.cpu: '{recipe}' is no recipe: write steps with one slash between them, as teacher/kd/int8."
    assert mistake({"recipes.cpu": recipe}) == expected


def test_one_mistake_that_spoils_many_recipes_is_told_once(mistake):
    found = mistake({"steps.teacher.model": ...})
    assert found.startswith("recipes.baseline: 'teacher' cannot be built: 'teacher' begins it and names no model.")
    assert found.endswith(" The same with: cpu, wide.")


@pytest.mark.parametrize(
    ("part", "message"), [("tasks.reviews.source", "' is a folder. Name"), ("models.minilm", "is a file.")]
)
def test_a_folder_for_a_file_and_a_file_for_a_folder(mistake, tmp_path, part, message):
    path = tmp_path if part.startswith("tasks") else tmp_path / "x.csv"
    assert message in mistake({part: {"path": str(path)}})


def test_two_recipes_of_one_lineage(mistake):
    found = mistake({"recipes.again": "teacher"})
    assert found == "recipes.again: 'teacher' is the recipe 'baseline' already. Keep one of the two names."
