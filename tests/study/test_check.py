import pytest

from constrictor.errors import ConstrictorError
from constrictor.study.check import chain_problem
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
        ("teacher/onnx/fp16", "'fp16' stores a torch model in fp16, and its parent is ONNX. Use 'method: dynamic'"),
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
        "teacher/kd/mag/fp16",
        "teacher/mag/kd/onnx",
        "teacher/onnx/kd_wide",
        "teacher/int8/kd_wide/mag",
        "teacher/mag/mag",
    ],
)
def test_chains_that_make_sense_are_accepted(changed, lineage):
    assert chain_problem(read_study(changed({"recipes.cpu": lineage})), lineage) is None


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
