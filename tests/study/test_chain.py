import pytest

from constrictor.study.chain import chain_problem
from constrictor.study.read import read_study


@pytest.mark.parametrize(
    ("lineage", "reason"),
    [
        ("mag", "'mag' prunes a model and no step comes before it. Begin with a 'finetune' or 'checkpoint' step: 'teacher/mag'."),
        ("int8", "'int8' quantizes a model and no step comes before it."),
        ("onnx", "'onnx' exports a model and no step comes before it."),
        ("kd", "'kd' distils and has no teacher. Put the step that builds the teacher before it: 'teacher/kd'."),
        ("teacher/int8/mag", "'mag' prunes, and its parent is a quantized model (torch-int8, int8). Put 'mag' before"),
        ("teacher/fp16/mag", "'mag' prunes, and its parent is a quantized model (torch, fp16)."),
        ("teacher/onnx/mag", "'mag' prunes, and its parent is an exported model (onnx, fp32)."),
        ("teacher/onnx/kd", "'kd' takes its student's layers from its teacher, and its parent is an exported model"),
        ("teacher/int8/int8", "'int8' quantizes a model that is int8 already."),
        ("teacher/fp16/int8", "'int8' quantizes a model that is fp16 already."),
        ("teacher/onnx/onnx", "'onnx' exports, and its parent is an exported model"),
        ("teacher/int8/onnx", "'onnx' exports, and its parent is a quantized model"),
        ("teacher/onnx/int8/ov", "'ov' exports to openvino, which runs int8 ONNX models slowly. Export the float32 one."),
        ("teacher/ov", "'ov' exports to openvino, which requires an ONNX model. Put an export to ONNX before it."),
        ("teacher/teacher", "'teacher' starts from the model 'minilm' and can only begin a recipe."),
        ("teacher/kd/kd", "the teacher of 'kd' has no layer 2: it has 2 layers, numbered 0 to 1."),
    ],
)  # fmt: skip
def test_chains_that_make_no_sense_are_refused_with_the_reason(mistake, lineage, reason):
    found = mistake({"recipes.cpu": lineage})
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
            "'bf16': the method 'bf16' does not support the format onnx. Put it before the export.",
        ),
        (
            "teacher/blocks",
            "'blocks': the method 'weight_only' does not support the format torch. Put 'export' before it.",
        ),
        (
            "teacher/onnx/nf4",
            "'nf4': the method 'nf4' does not support the format onnx. Put it before the export.",
        ),
        (
            "teacher/onnx/qat",
            "'qat': the method 'qat' does not support the format onnx. Put it before the export.",
        ),
        ("teacher/onnx/mobile/int8", "'int8': the method 'dynamic' does not support the format ort."),
        ("teacher/onnx/blocks/int8", "'int8' quantizes a model that is int8 already. Keep one of the two steps."),
        ("teacher/onnx/table/table", "'table' quantizes a model that is int4 embeddings already."),
        ("teacher/onnx/table/blocks", "'blocks' quantizes a model that is int4 embeddings already."),
        ("teacher/onnx/table/fp16", "'fp16' quantizes a model that is int4 embeddings already."),
        ("teacher/onnx/table/int8/static", "'static' quantizes a model that is int8 already."),
        ("teacher/onnx/table/onnx", "'onnx' exports, and its parent is an exported model (onnx, int4 embeddings)."),
    ],
)
def test_quantizations_that_cannot_work_are_refused_with_the_reason(mistake, lineage, reason):
    found = mistake({**QUANTIZE, "recipes.cpu": lineage})
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


def test_finetune_without_a_model_continues_a_recipe_and_cannot_begin_one(changed, mistake):
    more = {"stage": "finetune", "epochs": 1}
    assert read_study(changed({"steps.more": more, "recipes.cpu": "teacher/kd/more"}))
    found = mistake({"steps.more": more, "recipes.cpu": "more"})
    assert "'more' begins it and names no model. Add 'model:' to the step." in found
    found = mistake({"steps.more": more, "recipes.cpu": "teacher/int8/more"})
    assert "'more' trains, and its parent is a quantized model (torch-int8, int8)." in found


def test_layers_of_a_model_before_its_download_are_not_checked(changed):
    changes = {"models.minilm": {"hub": "somebody/something"}, "steps.kd.student": {"layers": [0, 30]}}
    assert read_study(changed(changes))


def test_teacher_pruned_to_three_layers_gives_its_student_three(changed, mistake):
    cut = {"from": "minilm", "layers": [0, 2, 4]}
    assert read_study(changed({"steps.teacher.model": cut, "steps.kd.student": {"layers": [0, 2]}}))
    found = mistake({"steps.teacher.model": cut, "steps.kd.student": {"layers": [0, 3]}})
    assert "the teacher of 'kd' has no layer 3: it has 3 layers" in found


def test_student_with_a_checkpoint_of_its_own_has_that_ones_layers(changed, mistake):
    keep = {"stage": "prune", "method": "layers", "keep": [0, 5]}
    recipe = {"recipes.cpu": "teacher/kd_wide/few"}
    assert read_study(changed({"steps.few": keep, **recipe}))
    found = mistake({"steps.few": {**keep, "keep": [0, 6]}, **recipe})
    assert "the model that 'few' prunes has no layer 6: it has 6 layers" in found
