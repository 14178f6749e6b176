import re
from pathlib import Path

import pytest

from constrictor.errors import ConstrictorError
from constrictor.study.check import RULES
from constrictor.study.read import read_study
from constrictor.study.tasks.task import StepProblem

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
        ({"steps.kd_wide.train_on": ["train", "sme"]}, "steps.kd_wide.train_on: no subset is called 'sme'. Did you mean 'some'?"),
        ({"subsets.some.of": "review"}, "subsets.some.of: no task or corpus is called 'review'. Did you mean 'reviews'?"),
        ({"subsets.some.stratify": True}, "subsets.some.stratify: the corpus 'sentences' has no labels. Remove the key."),
        ({"report.baseline": "baselin"}, "report.baseline: no recipe is called 'baselin'. Did you mean 'baseline'?"),
        ({"tasks.reviews.extra_test_sets": {"more": {"path": "no.csv"}}}, "tasks.reviews.extra_test_sets.more: the file no.csv"),
        ({"tasks.reviews.max_samples": 9, "replicates": {"folds": 3}}, "tasks.reviews.max_samples: cross-validation uses all"),
        ({"recipes.download_extra_test_set": "teacher/kd"}, "recipes.download_extra_test_set: the name is reserved"),
        ({"report.control": "contrl"}, "report.control: no recipe is called 'contrl'."),
        ({"report.intervals": "recipe", "replicates.seeds": [3]}, "report.intervals: an interval for the recipe needs two"),
        ({"steps.model": {"stage": "export"}}, "steps.model: the name is reserved: the folder of each model holds a 'model'."),
        ({"steps.logs": {"stage": "export"}}, "steps.logs: the name is reserved"),
        ({"recipes.all": "teacher/kd"}, "recipes.all: the name is reserved: 'all' is a target of the workflow."),
        ({"recipes.finetune": "teacher/kd"}, "recipes.finetune: the name is reserved"),
        ({"subsets.train": {"of": "sentences", "size": 5}}, "subsets.train: the name is reserved"),
        ({"corpora.reviews": {"source": {"path": "x.csv"}}}, "corpora.reviews: a task has the same name."),
        (
            {"steps.teacher.model": {"from": "minilm", "layers": [0, 6]}, "recipes": {"baseline": "teacher"}},
            "steps.teacher.model: the model 'minilm' has no layer 6: it has 6 layers, numbered 0 to 5.",
        ),
        (
            {"steps.teacher.model": {"from": "minilm", "layers": [2, 0]}, "recipes": {"baseline": "teacher"}},
            "steps.teacher.model: the layers [2, 0] must be in ascending order without duplicates: [0, 2].",
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
            "steps.step.calibration_size: 'few' has 100 examples, and the step calibrates on 256.",
        ),
        (
            {"steps.static": {"stage": "quantize", "method": "static", "calibration": "some"}},
            "steps.static.calibration_size: 'some' has 100 examples, and the step calibrates on 256.",
        ),
        (
            _with({"method": "structured", "heads": 0.5, "calibration": "some", "calibration_size": 64}),
            "steps.step.calibration: the step calibrates with labels, and 'some' has none.",
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
            _with({"method": "magnitude", "sparsity": 0.4, "train_on": ["train", "some"]}),
            "recipes.cpu: 'teacher/step' cannot be built: 'step' trains on 'some', which has no labels, and has no "
            "teacher. Name one: 'teacher: teacher'.",
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
        _with({"method": "magnitude", "sparsity": 0.4, "train_on": ["train", "some"]}, "teacher/kd/step"),
        _with({"method": "magnitude", "sparsity": 0.4, "train_on": ["some"], "teacher": "teacher"}),
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
        ({"tasks.reviews.source": {"path": "a<b>.csv"}}, "'a<b>.csv' contains one of < > { }, which Snakemake"),
        ({"models.minilm": {"path": "a{b}"}}, "'a{b}' contains one of < > { }, which Snakemake"),
        ({"models.minilm": {"path": "nowhere"}}, "the model folder nowhere does not exist"),
        ({"models.minilm": {"package": "no-such", "folder": "x"}}, "the package 'no-such' is not installed."),
    ],
)
def test_sources_that_are_not_on_this_machine(mistake, changes, message):
    assert message in mistake(changes)


@pytest.mark.parametrize("recipe", ["", "teacher/", "/teacher", "teacher//kd", "teacher / kd", "teacher -> kd"])
def test_recipes_that_are_no_path(mistake, recipe):
    expected = f"recipes.cpu: '{recipe}' is not a recipe: write names of steps separated by slashes, for example teacher/kd/int8."
    assert mistake({"recipes.cpu": recipe}) == expected


def test_one_mistake_that_affects_many_recipes_is_reported_once(mistake):
    found = mistake({"steps.teacher.model": ...})
    assert found.startswith("recipes.baseline: 'teacher' cannot be built: 'teacher' begins it and names no model.")
    assert found.endswith(" The same holds for: cpu, wide.")


@pytest.mark.parametrize(
    ("part", "message"), [("tasks.reviews.source", "' is a folder. Name"), ("models.minilm", "is a file.")]
)
def test_a_folder_for_a_file_and_a_file_for_a_folder(mistake, tmp_path, part, message):
    path = tmp_path if part.startswith("tasks") else tmp_path / "x.csv"
    assert message in mistake({part: {"path": str(path)}})


def test_two_recipes_of_one_lineage(mistake):
    found = mistake({"recipes.again": "teacher"})
    assert found == "recipes.again: 'teacher' is the recipe 'baseline' already. Keep one of the two names."


@pytest.mark.parametrize("kind", ["regression", "multilabel", "question_answering"])
def test_class_weights_are_refused_for_kinds_that_do_not_weigh_classes(changed, mistake, kind):
    weights = {"steps.teacher.class_weights": "balanced", "steps.kd_wide.train_on": ["train"]}
    assert read_study(changed(weights))
    found = mistake({**weights, "tasks.reviews.kind": kind})
    assert found == (
        f"steps.teacher.class_weights: for the task 'reviews', whose kind is {kind}, classes cannot be weighted. "
        "Remove the key."
    )


def test_a_step_in_no_recipe_concerns_no_task(changed):
    unused = {"stage": "finetune", "model": "minilm", "class_weights": "balanced"}
    assert read_study(changed({"steps.unused": unused, "tasks.reviews.kind": "regression"}))


def test_a_kind_may_refuse_a_recipe(changed, mistake, monkeypatch):
    def no_export(task, steps):
        return (
            "models cannot be exported. Remove the recipe." if any(step.stage == "export" for step in steps) else None
        )

    monkeypatch.setattr("constrictor.study.tasks.regression.RegressionTask.chain_problem", no_export, raising=False)
    assert read_study(changed({}))
    assert mistake({"tasks.reviews.kind": "regression"}) == (
        "recipes.cpu: 'teacher/kd/mag/onnx/int8' cannot be built: for the task 'reviews', models cannot be exported. "
        "Remove the recipe."
    )


def test_a_kind_may_refuse_a_key_of_a_step(mistake, monkeypatch):
    def no_smoothing(task, step):
        return StepProblem("alpha", "there is no teacher. Remove it.") if step.stage == "distil" else None

    monkeypatch.setattr("constrictor.study.tasks.task.Task.step_problem", no_smoothing)
    found = mistake({"recipes": {"baseline": "teacher", "cpu": "teacher/kd"}})
    assert found == "steps.kd.alpha: for the task 'reviews', there is no teacher. Remove it."


QUESTIONS = {"tasks.reviews.kind": "question_answering", "steps.kd_wide.train_on": ["train"]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"steps.onnx.optimize": True},
            "steps.onnx.optimize: for the task 'reviews', whose kind is question_answering, the head",
        ),
        (
            {"steps.kd.train_on": ["train", "some"]},
            "steps.kd.train_on: for the task 'reviews', whose kind is question_answering, single texts are no examples, and the "
            "subset 'some' is of a corpus. Use 'train' or a subset of the task.",
        ),
        (
            {
                "steps.mag": {
                    "stage": "prune",
                    "method": "wanda",
                    "sparsity": 0.5,
                    "calibration": "some",
                    "calibration_size": 64,
                }
            },
            "steps.mag.calibration: for the task 'reviews', whose kind is question_answering, single texts are no examples",
        ),
    ],
)
def test_what_question_answering_has_no_use_for_is_refused(changed, mistake, changes, message):
    assert read_study(changed(QUESTIONS))
    assert mistake({**QUESTIONS, **changes}).startswith(message)


def test_tokens_of_a_corpus_may_be_counted_for_question_answering(changed):
    words = {"stage": "prune", "method": "vocabulary", "text": ["train", "some"]}
    assert read_study(changed({**QUESTIONS, "steps.mag": words}))
