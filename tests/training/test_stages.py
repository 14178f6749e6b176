from pathlib import Path

import numpy as np
import pytest
import torch
from heads import kind_with, load_classifier, plan_of, task_in, task_record, train_plan, training_set
from safetensors.torch import load_file

from constrictor.data.examples import read_examples
from constrictor.data.outputs import Outputs, read_outputs, write_outputs
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.models.architecture import keep_layers
from constrictor.models.manifest import read_manifest
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.finetune import Finetune
from constrictor.study.training_plan import TrainingSet
from constrictor.tasks.losses import soft_target_loss
from constrictor.tasks.registry import model_of
from constrictor.training.data import training_data
from constrictor.training.distil import distil
from constrictor.training.finetune import finetune
from constrictor.training.node import Node
from constrictor.training.objective import output_loss


@pytest.fixture
def data_set(tiny_teacher: Path, tiny_task: Path, tmp_path: Path) -> TrainingSet:
    outputs = tmp_path / "outputs.parquet"
    teacher_outputs(tiny_teacher, tiny_task / "train.parquet", outputs)
    return training_set(tiny_task / "train.parquet", outputs)


def _distil(data_set, teacher, start, task, folder, **settings):
    step = Distil(
        **{"stage": "distil", "student": {"layers": [0, 2]}, "epochs": 2, "lr": 3e-3, "batch_size": 8, **settings}
    )
    node = Node(folder, folder.name, seed=3)
    return distil(step, teacher, start, plan_of(data_set, soft_targets=step), task_in(task), node)


def test_two_finetunings_give_equal_manifests(tiny_model, tiny_task, tmp_path):
    settings = Finetune(stage="finetune", model="tiny", epochs=1, batch_size=8)
    for name in ("one", "two"):
        finetune(
            settings,
            tiny_model,
            train_plan(task_in(tiny_task)),
            task_in(tiny_task),
            Node(tmp_path / name / "teacher", "teacher", seed=5),
        )
    texts = [(tmp_path / name / "teacher/model/manifest.json").read_bytes() for name in ("one", "two")]
    assert texts[0] == texts[1]


def test_finetuned_artifact_describes_itself(tiny_teacher):
    manifest = read_manifest(tiny_teacher)
    assert manifest.trained_for() == task_record()
    assert (manifest.format, manifest.precision, manifest.layers, manifest.seed) == ("torch", "fp32", 4, 1)
    assert [record.step for record in manifest.lineage] == ["teacher"]
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(manifest.files)
    assert not (tiny_teacher.parent / "checkpoints").exists()


def test_finetune_of_some_layers(tiny_model, tiny_task, tmp_path):
    settings = Finetune.model_validate(
        {"stage": "finetune", "model": {"from": "tiny", "layers": [1, 3]}, "epochs": 1, "lr": 1e-12, "weight_decay": 0}
    )
    manifest = finetune(
        settings,
        tiny_model,
        train_plan(task_in(tiny_task)),
        task_in(tiny_task),
        Node(tmp_path / "small", "small", seed=1),
    )
    assert manifest.layers == 2
    before, after = load_file(tiny_model / "model.safetensors"), load_file(tmp_path / "small/model/model.safetensors")
    key = "encoder.layer.{}.output.dense.weight"
    torch.testing.assert_close(after["bert." + key.format(1)], before[key.format(3)])


def test_students_of_two_distillations_are_equal(data_set, tiny_teacher, tiny_task, tmp_path):
    first = _distil(data_set, tiny_teacher, tiny_teacher, tiny_task, tmp_path / "one" / "kd")
    second = _distil(data_set, tiny_teacher, tiny_teacher, tiny_task, tmp_path / "two" / "kd")
    assert first == second
    assert (first.layers, [record.step for record in first.lineage]) == (2, ["teacher", "kd"])


def test_student_may_start_from_another_model(data_set, tiny_teacher, tiny_model, tiny_task, tmp_path):
    manifest = _distil(data_set, tiny_teacher, tiny_model, tiny_task, tmp_path / "kd", student={"model": "tiny"})
    assert (manifest.layers, manifest.seed) == (4, 3)
    some = {"model": "tiny", "layers": [1, 3]}
    manifest = _distil(data_set, tiny_teacher, tiny_model, tiny_task, tmp_path / "half", student=some)
    assert manifest.layers == 2


@pytest.mark.parametrize("new_head", [False, True])
def test_students_head_is_kept_or_replaced(new_head, data_set, tiny_teacher, tiny_task, tmp_path):
    settings = {"student": {"model": "tiny"}, "epochs": 1, "lr": 1e-9, "new_head": new_head}
    _distil(data_set, tiny_teacher, tiny_teacher, tiny_task, tmp_path / "kd", **settings)
    heads = [
        load_classifier(folder, ["bad", "good"], 32).classifier.weight
        for folder in (tiny_teacher, tmp_path / "kd/model")
    ]
    assert torch.allclose(*heads, rtol=0, atol=1e-4) is not new_head


def test_student_comes_near_its_teacher(data_set, tiny_teacher, tiny_task, tmp_path):
    _distil(data_set, tiny_teacher, tiny_teacher, tiny_task, tmp_path / "kd", alpha=1.0, epochs=4)
    student = tmp_path / "student.parquet"
    teacher_outputs(tmp_path / "kd" / "model", data_set.examples, student)
    agreement = read_outputs(student).arrays["logits"].argmax(1) == read_outputs(data_set.outputs[0]).arrays[
        "logits"
    ].argmax(1)
    assert agreement.mean() > 0.9


def test_teacher_outputs_are_the_teachers_logits_in_order(data_set, tiny_teacher):
    examples, outputs = read_examples(data_set.examples), read_outputs(data_set.outputs[0])
    assert outputs.ids == examples.ids
    model, tokenizer = load_classifier(tiny_teacher, ["bad", "good"], 32).eval(), Tokenizer(tiny_teacher, 32)
    for row in (0, 17, 71):
        ids = torch.from_numpy(tokenizer.encode([examples.texts[row]])[0])[None]
        with torch.no_grad():
            expected = model(input_ids=ids).logits[0].numpy()
        np.testing.assert_allclose(outputs.arrays["logits"][row], expected, atol=0.1)


def test_training_sets_are_repeated(data_set, tiny_teacher):
    tokenizer = Tokenizer(tiny_teacher, 32)
    data = training_data(plan_of(data_set.model_copy(update={"repeats": 3}), data_set), tokenizer, kind_with())
    assert len(data.encoded) == len(data.targets["labels"]) == len(data.targets["teacher_logits"]) == 4 * 72
    np.testing.assert_array_equal(data.targets["teacher_logits"][:72], data.targets["teacher_logits"][-72:])
    np.testing.assert_array_equal(data.encoded[3], data.encoded[75])


def test_outputs_of_other_examples_are_refused(data_set, tiny_teacher, tmp_path):
    outputs = read_outputs(data_set.outputs[0])
    other = tmp_path / "other.parquet"
    write_outputs(other, Outputs(outputs.ids[::-1], outputs.arrays))
    with pytest.raises(ConstrictorError, match=r"other\.parquet was not made from .*train\.parquet\. Delete it"):
        training_data(plan_of(training_set(data_set.examples, other)), Tokenizer(tiny_teacher, 32), kind_with())


def test_the_loss_uses_the_steps_alpha_and_temperature():
    settings = Distil(stage="distil", student={"layers": [0]}, alpha=0.8, temperature=3.0)
    logits, teacher, labels = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 1.5]]), torch.tensor([0])
    found = output_loss(model_of(task_record()), settings)(
        {"logits": logits}, {"labels": labels, "teacher_logits": teacher, "done": torch.tensor(0.5)}
    )
    expected = 0.8 * soft_target_loss(logits, teacher, 3.0) + 0.2 * torch.nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(found, expected)


def test_layer_that_the_teacher_has_not(data_set, tiny_teacher, tiny_task, tmp_path):
    with pytest.raises(ConstrictorError, match="no layer 4: it has 4 layers"):
        _distil(data_set, tiny_teacher, tiny_teacher, tiny_task, tmp_path / "kd", student={"layers": [0, 4]})


def test_keep_layers_keeps_the_named_ones_in_order(tiny_teacher):
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    before = [layer.output.dense.weight.clone() for layer in model.bert.encoder.layer]
    embeddings, head = model.bert.embeddings.word_embeddings.weight.clone(), model.classifier.weight.clone()
    keep_layers(model, [0, 3])
    after = [layer.output.dense.weight for layer in model.bert.encoder.layer]
    assert len(after) == model.config.num_hidden_layers == 2
    assert torch.equal(after[0], before[0])
    assert torch.equal(after[1], before[3])
    assert torch.equal(model.bert.embeddings.word_embeddings.weight, embeddings)
    assert torch.equal(model.classifier.weight, head)


def test_identity_depends_on_code_settings_seed_and_inputs(tmp_path):
    file = tmp_path / "input"
    file.write_text("a")
    settings = Finetune(stage="finetune", epochs=2)

    def identity(settings=settings, seed=1, code="c"):
        return Node(tmp_path, "step", seed, code).identity(settings, [file])

    first = identity()
    assert first == identity()
    changed = {identity(seed=2), identity(code="d"), identity(settings.model_copy(update={"epochs": 3}))}
    file.write_text("b")
    assert len({first, *changed, identity()}) == 5
