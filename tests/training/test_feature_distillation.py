"""Feature distillation, against what transformers itself computes for one text at a time, and whole trainings of it."""

from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from heads import kind_with, load_classifier, plan_of, task_in, training_set
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from constrictor.compression.pruning.prune import prune
from constrictor.data.examples import read_examples, unlabelled, write_examples
from constrictor.data.outputs import Outputs, read_outputs, write_outputs
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.models.manifest import read_manifest
from constrictor.models.source import fetch_model
from constrictor.study.sources import LocalModel
from constrictor.study.steps.distil import Distil, SoftTargets
from constrictor.study.steps.prune import Structured
from constrictor.study.steps.schedules import AlphaSchedule
from constrictor.study.training_plan import TrainingSet
from constrictor.training import objective as objective_module
from constrictor.training.data import training_data
from constrictor.training.distil import distil
from constrictor.training.feature_distillation import matching
from constrictor.training.node import Node

LABELS = ["bad", "good"]
IDS = torch.randint(5, 40, (3, 7), generator=torch.Generator().manual_seed(0))
LENGTHS = (7, 4, 6)
MASK = (torch.arange(7) < torch.tensor(LENGTHS)[:, None]).long()
BATCH = {"input_ids": IDS, "attention_mask": MASK}


@pytest.fixture
def student(tiny_model: Path):
    """An untrained student of four layers, 32 wide, as a training holds it."""
    return load_classifier(tiny_model, LABELS, 32, seed=1).train()


@pytest.fixture
def teacher(tiny_teacher: Path):
    """A teacher of the same shape."""
    return load_classifier(tiny_teacher, LABELS, 32)


@pytest.fixture
def data_set(wide_teacher: Path, tiny_task: Path, tmp_path: Path) -> TrainingSet:
    """The training examples, and the outputs of the teacher of another width for them."""
    outputs = tmp_path / "outputs.parquet"
    teacher_outputs(wide_teacher, tiny_task / "train.parquet", outputs)
    return training_set(tiny_task / "train.parquet", outputs)


def _logits(file: Path) -> np.ndarray:
    return read_outputs(file).arrays["logits"]


def _without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def _loss(settings: dict, student, teacher) -> np.ndarray:
    with matching(SoftTargets.model_validate(settings), student, teacher, bf16=False, seed=0) as loss:
        _without_dropout(student)(**BATCH)
        return loss(BATCH).detach().numpy()


def _alone(model, row: int):
    """What transformers computes for one text without padding: hidden states behind each layer, and attention maps."""
    model.set_attn_implementation("eager")
    with torch.no_grad():
        said = model.eval()(
            input_ids=IDS[row : row + 1, : LENGTHS[row]], output_hidden_states=True, output_attentions=True
        )
    return [state[0].numpy() for state in said.hidden_states[1:]], [maps[0].numpy() for maps in said.attentions]


@pytest.mark.parametrize(
    ("layers", "pairs"),
    [("uniform", [(0, 0), (1, 1), (2, 2), (3, 3)]), ("last", [(3, 3)]), ({0: 2, 1: 3}, [(0, 2), (1, 3)])],
)
def test_hidden_states_are_those_behind_the_layers(student, teacher, layers, pairs):
    found = _loss({"hidden": {"layers": layers, "weight": 3.0}}, student, teacher)
    for row in range(3):
        ours, theirs = _alone(student, row)[0], _alone(teacher, row)[0]
        expected = 3 * np.mean([((ours[s] - theirs[t]) ** 2).mean() for s, t in pairs])
        assert found[row] == pytest.approx(expected, rel=1e-4)


def test_attention_maps_are_those_that_transformers_computes(student, teacher):
    found = _loss({"attention": {"layers": {1: 2, 3: 3}, "weight": 0.5}}, student, teacher)
    for row in range(3):
        ours, theirs = _alone(student, row)[1], _alone(teacher, row)[1]
        kl = [(theirs[t] * np.log(theirs[t] / ours[s])).sum(-1).mean() for s, t in ((1, 2), (3, 3))]
        assert found[row] == pytest.approx(0.5 * np.mean(kl), rel=1e-3)


def test_value_relations_come_on_top(student, teacher):
    plain, both = (_loss({"attention": {"values": values}}, student, teacher) for values in (False, True))

    def relations(model, row):
        states = model.bert.embeddings(IDS[row : row + 1, : LENGTHS[row]])
        for layer in model.bert.encoder.layer[:3]:
            states = layer(states)
        values = model.bert.encoder.layer[3].attention.self.value(states)[0].view(-1, 4, 8)
        return torch.einsum("ihd,jhd->hij", values, values).div(8**0.5).softmax(-1)

    with torch.no_grad():
        for row in range(3):
            p, q = relations(teacher.eval(), row), relations(student.eval(), row)
            kl = (p * (p / q).log()).sum(-1).mean().item()
            assert both[row] - plain[row] == pytest.approx(kl, rel=1e-3, abs=1e-7)


def test_a_model_that_copies_itself_has_nothing_to_learn(tiny_teacher, teacher):
    twin = load_classifier(tiny_teacher, LABELS, 32).train()
    found = _loss({"hidden": {}, "attention": {"layers": "uniform", "loss": "mse", "values": True}}, twin, teacher)
    np.testing.assert_allclose(found, 0, atol=1e-9)


def test_projection_maps_the_students_states_and_is_gone_afterwards(student, wide_teacher):
    wide = load_classifier(wide_teacher, LABELS, 32)
    names = set(student.state_dict())
    with matching(SoftTargets.model_validate({"hidden": {}}), student, wide, bf16=False, seed=0) as loss:
        added = {name: value for name, value in student.state_dict().items() if name not in names}
        _without_dropout(student)(**BATCH)
        found = loss(BATCH)
        found.sum().backward()
    assert {tuple(value.shape) for value in added.values()} == {(128, 32), (128,)}
    assert set(student.state_dict()) == names
    assert all(parameter.grad is None for parameter in wide.parameters())
    assert student.bert.encoder.layer[0].output.dense.weight.grad.abs().sum() > 0
    weights = [value.numpy() for name, value in added.items() if name.endswith("weight")]
    for row in range(3):
        ours, theirs = _alone(student, row)[0], _alone(wide, row)[0]
        # Four layers are distilled from two: the first two from the first, the others from the last.
        expected = np.mean([((ours[i] @ weights[i].T - theirs[i // 2]) ** 2).mean() for i in range(4)])
        assert found[row].item() == pytest.approx(expected, rel=1e-4)


def test_heads_that_do_not_agree_are_refused_or_split_anew(student, tiny_checkpoint):
    config = BertConfig.from_pretrained(tiny_checkpoint, num_attention_heads=2)
    from transformers import BertForSequenceClassification

    torch.manual_seed(1)
    other = BertForSequenceClassification(config)
    with pytest.raises(ConstrictorError, match=r"layer 3 has 4 heads and the teacher's layer 3 has 2.*relation_heads"):
        _loss({"attention": {}}, student, other)
    with pytest.raises(ConstrictorError, match="the student's queries are 32 wide, which 'relation_heads: 5'"):
        _loss({"attention": {"relation_heads": 5}}, student, other)
    assert (_loss({"attention": {"relation_heads": 8}}, student, other) > 0).all()


def _distil(data_set, teacher, start, task, folder, **settings):
    step = Distil.model_validate(
        {"stage": "distil", "student": {"model": "tiny"}, "epochs": 2, "lr": 3e-3, "batch_size": 8, **settings}
    )
    plan = plan_of(data_set, soft_targets=step, teacher=teacher if step.needs_online_teacher else None)
    return distil(step, teacher, start, plan, task_in(task), Node(folder, folder.name, seed=3))


COPYING = {
    "hidden": {"weight": 5.0, "loss": "cosine"},
    "attention": {"values": True},
    "alpha": {"from": 0.9, "to": 0.1, "schedule": "cosine"},
    "loss": "mse",
    "precision": "fp32",
}


def test_killed_with_projections_and_schedules_equals_undisturbed(
    data_set, wide_teacher, tiny_model, tiny_task, tmp_path, monkeypatch
):
    undisturbed = _distil(data_set, wide_teacher, tiny_model, tiny_task, tmp_path / "one" / "kd", **COPYING)
    real, seen = objective_module.value_at, []

    def recorded(setting, done):
        value = real(setting, done)
        if isinstance(setting, AlphaSchedule):
            seen.append(value)
        return value

    def interrupted(setting, done):
        if isinstance(setting, AlphaSchedule) and len(seen) == 12:
            raise KeyboardInterrupt
        return recorded(setting, done)

    monkeypatch.setattr("constrictor.training.callbacks.SECONDS_BETWEEN_CHECKPOINTS", 0)
    with monkeypatch.context() as patch:
        patch.setattr(objective_module, "value_at", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _distil(data_set, wide_teacher, tiny_model, tiny_task, tmp_path / "two" / "kd", **COPYING)
    monkeypatch.setattr(objective_module, "value_at", recorded)
    saved = load_file(tmp_path / "two/kd/checkpoints/checkpoint-12/model.safetensors")
    assert sum(name.startswith("matching_projections") for name in saved) == 8
    resumed = _distil(data_set, wide_teacher, tiny_model, tiny_task, tmp_path / "two" / "kd", **COPYING)
    assert resumed == undisturbed
    assert seen == pytest.approx([0.5 + 0.4 * np.cos(np.pi * step / 18) for step in range(18)])
    names = load_file(tmp_path / "two/kd/model/model.safetensors").keys()
    assert names == load_file(wide_teacher / "model.safetensors").keys() | {
        name.replace("layer.0", f"layer.{layer}") for name in names if "layer.0" in name for layer in (2, 3)
    }


def test_feature_distillation_brings_hidden_states_nearer(
    data_set, wide_teacher, tiny_model, tiny_task, tmp_path, monkeypatch
):
    monkeypatch.setattr("constrictor.training.validation.Validation.best", property(lambda self: self.history[-1]))
    features = {"attention": {"loss": "mse", "weight": 10.0}}

    def distance(name: str) -> float:
        student, wide = (load_classifier(folder, LABELS, 32) for folder in (tmp_path / name / "model", wide_teacher))
        return float(_loss(features, student.train(), wide).mean())

    for name, more in (("plain", {}), ("copying", features)):
        _distil(
            data_set,
            wide_teacher,
            tiny_model,
            tiny_task,
            tmp_path / name,
            **{"alpha": 1.0, "epochs": 4, "batch_size": 4, **more},
        )
    assert distance("copying") < 0.9 * distance("plain")


def test_no_teacher_is_opened_where_logits_are_all_that_is_copied(
    data_set, wide_teacher, tiny_model, tiny_task, tmp_path, monkeypatch
):
    monkeypatch.delattr(objective_module, "load_model")
    assert _distil(data_set, wide_teacher, tiny_model, tiny_task, tmp_path / "kd", epochs=1).layers == 4


def test_text_without_labels_is_distilled_on_too(tiny_teacher, tiny_task, tmp_path):
    examples = read_examples(tiny_task / "train.parquet")
    text, outputs = tmp_path / "text.parquet", tmp_path / "outputs.parquet"
    write_examples(text, unlabelled(examples.ids, examples.texts))
    teacher_outputs(tiny_teacher, text, outputs)
    more = {"student": {"layers": [0, 2]}, "hidden": {}, "attention": {}, "epochs": 1, "loss": "hard"}
    manifest = _distil(training_set(text, outputs), tiny_teacher, tiny_teacher, tiny_task, tmp_path / "kd", **more)
    assert manifest.layers == 2


def test_a_pruned_model_recovers_by_feature_distillation(tiny_teacher, tiny_task, tmp_path):
    train, outputs = tiny_task / "train.parquet", tmp_path / "outputs.parquet"
    teacher_outputs(tiny_teacher, train, outputs)
    targets = SoftTargets.model_validate({"hidden": {}, "attention": {"relation_heads": 2}})
    step = Structured.model_validate(
        {"stage": "prune", "method": "structured", "heads": 0.5, "ffn": 0.5, "multiple_of": 8, "calibration_size": 32,
         "finetune_epochs": 1, "lr": 3e-3, "batch_size": 8}
    )  # fmt: skip
    node = Node(tmp_path / "slim", "slim", seed=3)
    plan = plan_of(training_set(train, outputs), soft_targets=targets, teacher=tiny_teacher)
    prune(step, tiny_teacher, [train], plan, task_in(tiny_task), node)
    assert read_manifest(node.model).shape.heads == [2, 2, 2, 2]
    plan = plan.model_copy(update={"soft_targets": SoftTargets.model_validate({"attention": {}})})
    with pytest.raises(ConstrictorError, match="has 2 heads and the teacher's layer 3 has 4"):
        prune(step, tiny_teacher, [train], plan, task_in(tiny_task), Node(tmp_path / "other", "other", seed=3))


@pytest.fixture(scope="module")
def other_model(tmp_path_factory, sentences) -> Path:
    """A random student with a byte-pair tokenizer of its own, as a fetched artifact."""
    folder = tmp_path_factory.mktemp("bpe")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel()
    special = ["<pad>", "<unk>", "<s>", "</s>"]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=110, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([text for text, _ in sentences], trainer)
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("</s>", 3), ("<s>", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=48, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.05,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    target = tmp_path_factory.mktemp("bpe_model") / "model"
    fetch_model(LocalModel(path=str(folder)), target)
    return target


def test_logits_need_no_common_tokenizer(other_model, tiny_teacher, tiny_task, tmp_path):
    train, said = tiny_task / "train.parquet", tmp_path / "said.parquet"
    teacher_outputs(tiny_teacher, train, said)
    texts = read_examples(train).texts
    ours, theirs = (Tokenizer(folder, 32).encode(texts) for folder in (other_model, tiny_teacher))
    assert [len(ids) for ids in ours] != [len(ids) for ids in theirs]
    more = {"student": {"model": "other"}, "alpha": 1.0, "loss": "hard", "epochs": 4, "lr": 5e-3}
    _distil(training_set(train, said), tiny_teacher, other_model, tiny_task, tmp_path / "kd", **more)
    teacher_outputs(tmp_path / "kd/model", train, tmp_path / "student.parquet")
    agree = _logits(tmp_path / "student.parquet").argmax(1) == _logits(said).argmax(1)
    assert agree.mean() > 0.9


@pytest.mark.parametrize("what", ["hidden", "attention"])
def test_feature_distillation_needs_a_common_tokenizer(other_model, tiny_teacher, tiny_task, tmp_path, what):
    said = tmp_path / "said.parquet"
    teacher_outputs(tiny_teacher, tiny_task / "train.parquet", said)
    with pytest.raises(
        ConstrictorError, match=r"the student's tokenizer is not that of the teacher in .* Leave 'hidden'"
    ):
        _distil(
            training_set(tiny_task / "train.parquet", said), tiny_teacher, other_model, tiny_task, tmp_path / "kd",
            **{"student": {"model": "other"}, what: {}},
        )  # fmt: skip


def test_the_target_of_several_teachers_is_the_mean_of_their_logits(data_set, tiny_teacher, tmp_path):
    first, files = read_outputs(data_set.outputs[0]), []
    for number in range(2):
        files.append(tmp_path / f"co{number}.parquet")
        write_outputs(files[-1], Outputs(first.ids, {"logits": first.arrays["logits"] * (number + 2) + number}))
    several = data_set.model_copy(update={"outputs": [*data_set.outputs, *files], "repeats": 2})
    data = training_data(plan_of(several), Tokenizer(tiny_teacher, 32), kind_with())
    np.testing.assert_allclose(
        data.targets["teacher_logits"], np.tile(first.arrays["logits"] * 2 + 1 / 3, (2, 1)), rtol=1e-5
    )


def test_teachers_of_other_classes_are_refused(data_set, tiny_teacher, tmp_path):
    said, other = read_outputs(data_set.outputs[0]), tmp_path / "other.parquet"
    write_outputs(other, Outputs(said.ids, {"logits": np.zeros((len(said.ids), 3), dtype=np.float32)}))
    two = data_set.model_copy(update={"outputs": [*data_set.outputs, other]})
    with pytest.raises(ConstrictorError, match="have different numbers of outputs: 2, 3"):
        training_data(plan_of(two), Tokenizer(tiny_teacher, 32), kind_with())
