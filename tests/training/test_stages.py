import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from constrictor.training.lessons import Lesson, lesson_data
from constrictor.training.losses import distillation_loss
from heads import load_classifier
from safetensors.torch import load_file, save_file

from constrictor.data.examples import read_examples
from constrictor.data.outputs import Outputs, read_outputs, write_outputs
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.models.architecture import keep_layers
from constrictor.models.manifest import read_manifest
from constrictor.models.source import fetch_model
from constrictor.study.sources import LocalModel
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.finetune import Finetune
from constrictor.training.distil import distil
from constrictor.training.finetune import finetune
from constrictor.training.node import Node, TaskFolder
from constrictor.training.objective import loss_of


@pytest.fixture
def lesson(tiny_teacher: Path, tiny_task: Path, tmp_path: Path) -> Lesson:
    outputs = tmp_path / "outputs.parquet"
    teacher_outputs(tiny_teacher, tiny_task / "train.parquet", outputs)
    return Lesson(tiny_task / "train.parquet", outputs)


def _distil(lesson, teacher, start, task, folder, **settings):
    step = Distil(
        **{"stage": "distil", "student": {"layers": [0, 2]}, "epochs": 2, "lr": 3e-3, "batch_size": 8, **settings}
    )
    node = Node(folder, folder.name, seed=3)
    return distil(step, teacher, start, [lesson], TaskFolder(task), node)


def test_two_finetunings_give_equal_manifests(tiny_model, tiny_task, tmp_path):
    settings = Finetune(stage="finetune", model="tiny", epochs=1, batch_size=8)
    for name in ("one", "two"):
        finetune(settings, tiny_model, TaskFolder(tiny_task), Node(tmp_path / name / "teacher", "teacher", seed=5))
    texts = [(tmp_path / name / "teacher/model/manifest.json").read_bytes() for name in ("one", "two")]
    assert texts[0] == texts[1]


def test_finetuned_artifact_says_what_it_is(tiny_teacher):
    manifest = read_manifest(tiny_teacher)
    assert manifest.trained_for() == (["bad", "good"], 32)
    assert (manifest.format, manifest.precision, manifest.layers, manifest.seed) == ("torch", "fp32", 4, 1)
    assert [record.step for record in manifest.lineage] == ["teacher"]
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(manifest.files)
    assert not (tiny_teacher.parent / "checkpoints").exists()


def test_finetune_of_some_layers(tiny_model, tiny_task, tmp_path):
    settings = Finetune.model_validate(
        {"stage": "finetune", "model": {"from": "tiny", "layers": [1, 3]}, "epochs": 1, "lr": 1e-12, "weight_decay": 0}
    )
    manifest = finetune(settings, tiny_model, TaskFolder(tiny_task), Node(tmp_path / "small", "small", seed=1))
    assert manifest.layers == 2
    before, after = load_file(tiny_model / "model.safetensors"), load_file(tmp_path / "small/model/model.safetensors")
    key = "encoder.layer.{}.output.dense.weight"
    torch.testing.assert_close(after["bert." + key.format(1)], before[key.format(3)])


def test_students_of_two_distillations_are_equal(lesson, tiny_teacher, tiny_task, tmp_path):
    first = _distil(lesson, tiny_teacher, tiny_teacher, tiny_task, tmp_path / "one" / "kd")
    second = _distil(lesson, tiny_teacher, tiny_teacher, tiny_task, tmp_path / "two" / "kd")
    assert first == second
    assert (first.layers, [record.step for record in first.lineage]) == (2, ["teacher", "kd"])


def test_student_may_start_from_another_model(lesson, tiny_teacher, tiny_model, tiny_task, tmp_path):
    manifest = _distil(lesson, tiny_teacher, tiny_model, tiny_task, tmp_path / "kd", student={"model": "tiny"})
    assert (manifest.layers, manifest.seed) == (4, 3)


def test_student_comes_near_its_teacher(lesson, tiny_teacher, tiny_task, tmp_path):
    _distil(lesson, tiny_teacher, tiny_teacher, tiny_task, tmp_path / "kd", alpha=1.0, epochs=4)
    student = tmp_path / "student.parquet"
    teacher_outputs(tmp_path / "kd" / "model", lesson.examples, student)
    agreement = read_outputs(student).logits.argmax(1) == read_outputs(lesson.outputs).logits.argmax(1)
    assert agreement.mean() > 0.9


def test_teacher_outputs_are_the_teachers_logits_in_order(lesson, tiny_teacher):
    examples, outputs = read_examples(lesson.examples), read_outputs(lesson.outputs)
    assert outputs.ids == examples.ids
    assert outputs.labels.tolist() == examples.labels.tolist()
    model, tokenizer = load_classifier(tiny_teacher, ["bad", "good"], 32).eval(), Tokenizer(tiny_teacher, 32)
    for row in (0, 17, 71):
        ids = torch.from_numpy(tokenizer.encode([examples.texts[row]])[0])[None]
        with torch.no_grad():
            expected = model(input_ids=ids).logits[0].numpy()
        np.testing.assert_allclose(outputs.logits[row], expected, atol=0.1)


def test_lessons_are_repeated_as_their_passes_say(lesson, tiny_teacher):
    tokenizer = Tokenizer(tiny_teacher, 32)
    data = lesson_data([lesson._replace(passes=3), lesson], tokenizer, np.array(-100))
    assert len(data.encoded) == len(data.targets["labels"]) == len(data.targets["teacher_logits"]) == 4 * 72
    np.testing.assert_array_equal(data.targets["teacher_logits"][:72], data.targets["teacher_logits"][-72:])
    np.testing.assert_array_equal(data.encoded[3], data.encoded[75])


def test_outputs_of_other_examples_are_refused(lesson, tiny_teacher, tmp_path):
    outputs = read_outputs(lesson.outputs)
    other = tmp_path / "other.parquet"
    write_outputs(other, Outputs(outputs.ids[::-1], outputs.labels, outputs.logits))
    with pytest.raises(ConstrictorError, match=r"other\.parquet was not made from .*train\.parquet\. Delete it"):
        lesson_data([Lesson(lesson.examples, other)], Tokenizer(tiny_teacher, 32), np.array(-100))


def test_mixture_uses_the_steps_alpha_and_temperature():
    settings = Distil(stage="distil", student={"layers": [0]}, alpha=0.8, temperature=3.0)
    logits, teacher, labels = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 1.5]]), torch.tensor([0])
    found = loss_of("classification", settings)(
        logits, {"labels": labels, "teacher_logits": teacher, "done": torch.tensor(0.5)}
    )
    assert torch.equal(found, distillation_loss(logits, labels, teacher, 0.8, 3.0))


def test_layer_that_the_teacher_has_not(lesson, tiny_teacher, tiny_task, tmp_path):
    with pytest.raises(ConstrictorError, match="no layer 4: it has 4 layers"):
        _distil(lesson, tiny_teacher, tiny_teacher, tiny_task, tmp_path / "kd", student={"layers": [0, 4]})


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


def test_tokens_that_the_model_has_no_embedding_for_are_refused(tiny_checkpoint, tiny_task, tmp_path):
    checkpoint = shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")
    weights = load_file(checkpoint / "model.safetensors")
    weights["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][:20].clone()
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    (checkpoint / "config.json").write_text(json.dumps({**config, "vocab_size": 20}), encoding="utf-8")
    fetch_model(LocalModel(path=str(checkpoint)), tmp_path / "model")
    settings = Finetune(stage="finetune", model="tiny", epochs=1)
    with pytest.raises(
        ConstrictorError, match=r"knows \d+ tokens and the model has embeddings for 20; the texts hold token"
    ):
        finetune(settings, tmp_path / "model", TaskFolder(tiny_task), Node(tmp_path / "teacher", "teacher", seed=1))
