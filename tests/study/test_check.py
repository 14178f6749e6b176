import pytest

from constrictor.errors import ConstrictorError
from constrictor.study.chain import chain_problem
from constrictor.study.read import read_study


def _mistake(changed, changes) -> str:
    with pytest.raises(ConstrictorError) as caught:
        read_study(changed(changes))
    message = str(caught.value)
    assert message.startswith("The study has one mistake:\n  "), message
    return message.split("\n  ")[1]


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
        ({"recipes.download_extra_test": "teacher/kd"}, "recipes.download_extra_test: the name is taken"),
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
            "steps.teacher.model: the layers [2, 0] must rise, each named once.",
        ),
    ],
)  # fmt: skip
def test_names_and_layers_that_do_not_exist(changed, changes, message):
    assert _mistake(changed, changes).startswith(message)


@pytest.mark.parametrize(
    ("lineage", "reason"),
    [
        ("mag", "'mag' prunes a model and none comes before it. Begin with a 'finetune' step: 'teacher/mag'."),
        ("int8", "'int8' quantizes a model and none comes before it."),
        ("onnx", "'onnx' exports a model and none comes before it."),
        ("kd", "'kd' distils and has no teacher. Put the step that makes the teacher before it: 'teacher/kd'."),
        ("teacher/int8/mag", "'mag' prunes, and its parent is a quantized model (torch, int8). Put 'mag' before"),
        ("teacher/fp16/mag", "'mag' prunes, and its parent is a quantized model (torch, fp16)."),
        ("teacher/onnx/mag", "'mag' prunes, and its parent is an ONNX model (onnx, fp32)."),
        ("teacher/onnx/kd", "'kd' takes its student's layers from its teacher, and its parent is an ONNX model"),
        ("teacher/int8/int8", "'int8' quantizes a model that is int8 already."),
        ("teacher/fp16/int8", "'int8' quantizes a model that is fp16 already."),
        ("teacher/onnx/onnx", "'onnx' exports, and its parent is an ONNX model"),
        ("teacher/int8/onnx", "'onnx' exports, and its parent is a quantized model"),
        ("teacher/onnx/int8/ov", "'ov' exports to openvino, which runs int8 ONNX models slowly. Export the float32 one."),
        ("teacher/ov", "'ov' exports to openvino, which starts from an ONNX model. Put an export to ONNX before it."),
        ("teacher/teacher", "'teacher' starts from the model 'minilm' and can only begin a recipe."),
        ("teacher/kd/kd", "the teacher of 'kd' has no layer 2: it has 2 layers, counted 0 to 1."),
    ],
)  # fmt: skip
def test_chains_that_make_no_sense_are_refused_with_the_reason(changed, lineage, reason):
    found = _mistake(changed, {"recipes.cpu": lineage})
    assert found.startswith(f"recipes.cpu: '{lineage}' cannot be built: {reason}")


@pytest.mark.parametrize(
    "lineage",
    [
        "teacher/onnx/int8",
        "teacher/onnx/fp16",
        "teacher/kd/mag/fp16",
        "teacher/mag/kd/onnx",
        "teacher/onnx/kd_wide",
        "teacher/int8/kd_wide/mag",
        "teacher/mag/mag",
    ],
)
def test_chains_that_make_sense_are_accepted(changed, lineage):
    assert chain_problem(read_study(changed({"recipes.cpu": lineage})), lineage) is None


QUANTIZE = {
    "steps.bf16": {"stage": "quantize", "method": "bf16"},
    "steps.static": {"stage": "quantize", "method": "static"},
    "steps.blocks": {"stage": "quantize", "method": "weight_only", "bits": 8},
    "steps.table": {"stage": "quantize", "method": "weight_only", "matrices": False},
    "steps.nf4": {"stage": "quantize", "method": "nf4"},
    "steps.qat": {"stage": "quantize", "method": "qat"},
    "steps.mobile": {"stage": "export", "format": "ort"},
}


@pytest.mark.parametrize(
    ("lineage", "reason"),
    [
        (
            "teacher/onnx/bf16",
            "'bf16' quantizes by 'bf16', which does not know the format onnx. Put it before the export.",
        ),
        (
            "teacher/blocks",
            "'blocks' quantizes by 'weight_only', which does not know the format torch. Put 'export' before it.",
        ),
        (
            "teacher/onnx/nf4",
            "'nf4' quantizes by 'nf4', which does not know the format onnx. Put it before the export.",
        ),
        (
            "teacher/onnx/qat",
            "'qat' quantizes by 'qat', which does not know the format onnx. Put it before the export.",
        ),
        ("teacher/onnx/mobile/int8", "'int8' quantizes by 'dynamic', which does not know the format ort."),
        ("teacher/onnx/blocks/int8", "'int8' quantizes a model that is int8 already. Keep one of the two steps."),
        ("teacher/onnx/table/table", "'table' quantizes a model that is int4 embeddings already."),
        ("teacher/onnx/table/blocks", "'blocks' quantizes a model that is int4 embeddings already."),
        ("teacher/onnx/table/fp16", "'fp16' quantizes a model that is int4 embeddings already."),
        ("teacher/onnx/table/int8/static", "'static' quantizes a model that is int8 already."),
        ("teacher/onnx/table/onnx", "'onnx' exports, and its parent is an ONNX model (onnx, int4 embeddings)."),
    ],
)
def test_quantizations_that_cannot_work_are_refused_with_the_reason(changed, lineage, reason):
    found = _mistake(changed, {**QUANTIZE, "recipes.cpu": lineage})
    assert found.startswith(f"recipes.cpu: '{lineage}' cannot be built: {reason}")


@pytest.mark.parametrize(
    "lineage",
    [
        "teacher/bf16",
        "teacher/static",
        "teacher/nf4",
        "teacher/onnx/static",
        "teacher/onnx/blocks",
        "teacher/onnx/table/int8",
        "teacher/onnx/table/static",
        "teacher/qat/onnx/int8",
        "teacher/qat/mag",
        "teacher/onnx/int8/mobile",
    ],
)
def test_quantizations_that_make_sense_are_accepted(changed, lineage):
    assert chain_problem(read_study(changed({**QUANTIZE, "recipes.cpu": lineage})), lineage) is None


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
def test_calibration_and_recovery_that_cannot_work(changed, changes, message):
    assert _mistake(changed, changes).startswith(message)


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


def test_finetune_without_a_model_continues_a_recipe_and_cannot_begin_one(changed):
    more = {"stage": "finetune", "epochs": 1}
    assert read_study(changed({"steps.more": more, "recipes.cpu": "teacher/kd/more"}))
    found = _mistake(changed, {"steps.more": more, "recipes.cpu": "more"})
    assert "'more' begins it and names no model. Add 'model:' to the step." in found


def test_negative_layers_are_refused(changed):
    changes = {"steps.teacher.model": {"from": "minilm", "layers": [-2, 0]}, "recipes": {"baseline": "teacher"}}
    with pytest.raises(ConstrictorError, match=r"steps\.teacher\.model"):
        read_study(changed(changes))


def test_layers_of_a_model_that_only_a_download_would_tell_are_left_to_the_download(changed):
    changes = {"models.minilm": {"hub": "somebody/something"}, "steps.kd.student": {"layers": [0, 30]}}
    assert read_study(changed(changes))


def test_teacher_cut_to_three_layers_gives_its_student_three(changed):
    cut = {"from": "minilm", "layers": [0, 2, 4]}
    assert read_study(changed({"steps.teacher.model": cut, "steps.kd.student": {"layers": [0, 2]}}))
    found = _mistake(changed, {"steps.teacher.model": cut, "steps.kd.student": {"layers": [0, 3]}})
    assert "the teacher of 'kd' has no layer 3: it has 3 layers" in found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks.reviews.source": {"path": "nowhere.csv"}}, "the file nowhere.csv does not exist (looked in /"),
        ({"corpora.sentences.source": {"path": "nowhere.csv"}}, "the file nowhere.csv does not exist"),
        ({"models.minilm": {"path": "nowhere"}}, "the model folder nowhere does not exist"),
        ({"models.minilm": {"package": "no-such", "folder": "x"}}, "the package 'no-such' is not installed."),
    ],
)
def test_sources_that_are_not_on_this_machine(changed, changes, message):
    assert message in _mistake(changed, changes)


def test_two_recipes_of_one_lineage(changed):
    found = _mistake(changed, {"recipes.again": "teacher"})
    assert found == "recipes.again: 'teacher' is the recipe 'baseline' already. Keep one of the two names."
