import json
import os
import shutil
from pathlib import Path

import bitsandbytes
import pytest
import torch
from heads import kind_with, load_classifier, logits_of, plan_of, task_in, train_plan, training_set
from little import damage
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.models.adapter import merge_adapter
from constrictor.models.manifest import read_manifest
from constrictor.models.quantized.nf4 import quantize_base
from constrictor.runtimes.load import load
from constrictor.study.steps.adapter import Adapter, Tuning
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.finetune import Finetune
from constrictor.training import callbacks, engine
from constrictor.training.distil import distil
from constrictor.training.finetune import finetune
from constrictor.training.node import Node
from constrictor.training.targets import head_modules, target_modules
from constrictor.training.tuning import Initialization, TrainableModel

LABELS = ["bad", "good"]
HEAD = ("classifier.", "bert.pooler.")


def _finetune(start: Path, task: Path, folder: Path, **settings):
    step = Finetune.model_validate(
        {"stage": "finetune", "model": "tiny", "epochs": 2, "lr": 5e-3, "batch_size": 8, **settings}
    )
    return finetune(step, start, train_plan(task_in(task)), task_in(task), Node(folder, folder.name, seed=3))


def _model(folder: Path):
    return load_classifier(folder / "model", LABELS, 32)


@pytest.fixture(scope="module")
def kept(tiny_model, tiny_task, tmp_path_factory) -> Path:
    """A node with an adapter upon the tiny checkpoint, which knows the task."""
    node = tmp_path_factory.mktemp("kept") / "lora"
    adapter = {"targets": "all", "merge": False, "dropout": 0.0}
    _finetune(tiny_model, tiny_task, node, adapter=adapter, epochs=6, lr=2e-2, dropout=0.0)
    return node


def test_adapter_is_trained_while_the_encoder_stays(kept, tiny_model):
    manifest = read_manifest(kept / "model")
    assert set(manifest.files) == {"adapter_config.json", "adapter_model.safetensors", "config.json", "tokenizer.json"}
    names = set(load_file(kept / "model/adapter_model.safetensors"))
    assert {name.split(".")[-2] for name in names} == {"lora_A", "lora_B", "classifier", "dense"}
    assert len([name for name in names if "lora_A" in name]) == 4 * 6
    best = max(entry["accuracy"] for entry in _record(kept)["history"])
    assert best > 0.9


def _record(node: Path) -> dict:
    return json.loads((node / "training.json").read_text(encoding="utf-8"))


def test_kept_adapter_opens_as_peft_opens_it(kept, tiny_model, ask):
    from peft import PeftModel

    base = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=2, dtype=torch.float32)
    reference = PeftModel.from_pretrained(base, kept / "model")
    torch.testing.assert_close(ask(_model(kept)), ask(reference), rtol=0, atol=1e-6)
    texts = ["the film was great", "the plot was dreadful indeed"]
    assert logits_of(load(kept / "model"), texts).argmax(axis=1).tolist() == [1, 0]


def test_kept_adapter_opens_where_its_folder_is_behind_a_link(tiny_model, tiny_task, tmp_path):
    (tmp_path / "a/disk/far/away").mkdir(parents=True)
    (tmp_path / "results").symlink_to(tmp_path / "a/disk/far/away")
    node = tmp_path / "results/lora"
    _finetune(tiny_model, tiny_task, node, adapter={"merge": False}, epochs=1)
    load(node / "model")
    load(node.resolve() / "model")


def test_two_trainings_are_equal_and_a_merged_adapter_is_the_kept_one_as_a_plain_model(
    tiny_model, tiny_task, tmp_path, ask
):
    found = [
        _finetune(tiny_model, tiny_task, tmp_path / name / "lora", adapter={"merge": name == "merged"}, epochs=1)
        for name in ("one", "two", "merged")
    ]
    assert found[0] == found[1]
    assert found[0].adapter.base == os.path.relpath(tiny_model, tmp_path / "one/lora/model")
    assert found[2].adapter is None
    kept, merged = _model(tmp_path / "one/lora"), _model(tmp_path / "merged/lora")
    assert torch.equal(ask(kept), ask(merged))
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged/lora/model")
    assert torch.equal(ask(plain), ask(kept))


def test_counts_of_an_adapter(kept):
    # Four layers of width 32 with a feed-forward part of 64, rank 8; the head's two matrices and the pooler's.
    lora = 4 * 8 * (4 * (32 + 32) + 2 * (32 + 64))
    head = 32 * 2 + 2 + 32 * 32 + 32
    plain = sum(parameter.numel() for parameter in _model(kept).parameters())
    expected = {"trainable_parameters": lora + head, "total_parameters": plain + lora}
    assert expected.items() <= _record(kept).items()
    assert read_manifest(kept / "model").details == expected
    assert read_manifest(kept / "model").parameters == plain


def test_step_after_a_kept_adapter_makes_a_plain_model(kept, tiny_task, tmp_path):
    manifest = _finetune(kept / "model", tiny_task, tmp_path / "more", lr=1e-9, epochs=1, weight_decay=0)
    assert manifest.adapter is None
    assert "model.safetensors" in manifest.files
    before, after = _model(kept).state_dict(), _model(tmp_path / "more").state_dict()
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-6)


def test_adapter_upon_a_kept_adapter_opens(kept, tiny_task, tmp_path, ask):
    _finetune(kept / "model", tiny_task, tmp_path / "two", adapter={"merge": False}, epochs=1)
    assert ask(_model(tmp_path / "two")).shape == (6, 2)


def test_adapter_of_another_base_is_refused(kept, tiny_model, tiny_task, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "base")
    _finetune(tmp_path / "base", tiny_task, tmp_path / "lora", adapter={"merge": False}, epochs=1)
    manifest = read_manifest(tmp_path / "lora/model")
    wrong = manifest.adapter.model_copy(update={"base_digest": "0" * 64})
    file = tmp_path / "lora/model/manifest.json"
    file.write_text(manifest.model_copy(update={"adapter": wrong}).model_dump_json(), encoding="utf-8")
    with pytest.raises(ConstrictorError, match=r"trained on another model than the one in .*base now"):
        _model(tmp_path / "lora")
    damage(tmp_path / "base/model.safetensors")
    with pytest.raises(ConstrictorError, match=r"base/model\.safetensors is not what was written"):
        _model(tmp_path / "lora")
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(ConstrictorError, match=r"is not in .*base any more.*merge: true"):
        _model(tmp_path / "lora")


def test_adapter_that_does_not_fit_is_refused(kept):
    from peft import LoraConfig

    config = LoraConfig.from_pretrained(kept / "model")
    weights = load_file(kept / "model/adapter_model.safetensors")
    first = sorted(weights)[0]
    for wrong in (
        {name: tensor for name, tensor in weights.items() if name != first},
        {**weights, "base_model.model.bert.encoder.layer.9.lora_A.weight": weights[first]},
        {**weights, first: weights[first][:, :-1].contiguous()},
    ):
        with pytest.raises(ConstrictorError, match="does not fit"):
            merge_adapter(_model(kept), config, wrong)


def test_only_what_is_trained_is_written_while_training(tiny_model, tiny_task, tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    monkeypatch.setattr(Node, "forget_training", lambda self: None)
    _finetune(tiny_model, tiny_task, tmp_path / "lora", adapter={}, epochs=1)
    folder = tmp_path / "lora/checkpoints"
    for file in (folder / "best.safetensors", folder / "checkpoint-9/model.safetensors"):
        names = {name for name in load_file(file) if not name.endswith(("position_ids", "token_type_ids"))}
        assert len(names) == 4 * 2 * 2 + 4
        assert all("lora_" in name or "modules_to_save" in name for name in names)


@pytest.mark.parametrize("more", [{"adapter": {"merge": False}, "weight_average": 0.9}, {"train": "head"}])
def test_resumed_equals_undisturbed(tiny_model, tiny_task, tmp_path, monkeypatch, more):
    whole = _finetune(tiny_model, tiny_task, tmp_path / "a/lora", **more)
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    with monkeypatch.context() as patch:
        real, calls = callbacks.Progress.on_step_end, []

        def interrupt(self, args, state, control, **kwargs):
            calls.append(1)
            if len(calls) == 11:
                raise KeyboardInterrupt
            return real(self, args, state, control, **kwargs)

        patch.setattr(callbacks.Progress, "on_step_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _finetune(tiny_model, tiny_task, tmp_path / "b/lora", **more)
    assert list((tmp_path / "b/lora/checkpoints").glob("checkpoint-*"))
    resumed = _finetune(tiny_model, tiny_task, tmp_path / "b/lora", **more)
    assert resumed == whole
    assert _record(tmp_path / "b/lora")["examples"] < _record(tmp_path / "a/lora")["examples"]


def test_head_alone_is_trained(tiny_teacher, tiny_task, tmp_path):
    manifest = _finetune(tiny_teacher, tiny_task, tmp_path / "head", train="head", epochs=1)
    before = load_file(tiny_teacher / "model.safetensors")
    after = load_file(tmp_path / "head/model/model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert {name for name in before if name.startswith(HEAD)} == changed
    assert manifest.details["trainable_parameters"] == sum(before[name].numel() for name in changed)


def test_adapter_and_distillation_together(tiny_teacher, tiny_task, tmp_path, ask):
    teacher_outputs(tiny_teacher, tiny_task / "train.parquet", tmp_path / "outputs.parquet")
    data_set = training_set(tiny_task / "train.parquet", tmp_path / "outputs.parquet")
    found = {}
    for merge in (True, False):
        step = Distil.model_validate(
            {
                "stage": "distil",
                "student": {"layers": [0, 2]},
                "epochs": 1,
                "lr": 5e-3,
                "batch_size": 8,
                "adapter": {"merge": merge, "targets": "all"},
            }
        )
        node = Node(tmp_path / str(merge), "kd", seed=3)
        manifest = distil(
            step, tiny_teacher, tiny_teacher, plan_of(data_set, soft_targets=step), task_in(tiny_task), node
        )
        assert manifest.layers == 2
        found[merge] = ask(load_classifier(node.model, LABELS, 32))
    assert manifest.adapter.layers == [0, 2]
    assert torch.equal(found[True], found[False])


def test_quantized_base(wide_teacher, tiny_task, tmp_path, ask):
    """What is kept and merged is one model: weights rounded as bitsandbytes stores them, and ``alpha / rank * B A``."""
    for merge in (True, False):
        manifest = _finetune(
            wide_teacher, tiny_task, tmp_path / str(merge), epochs=1, adapter={"base": "nf4", "merge": merge}
        )
    assert len(manifest.adapter.nf4) == 2 * 6
    merged = load_file(tmp_path / "True/model/model.safetensors")
    adapter = load_file(tmp_path / "False/model/adapter_model.safetensors")
    before = load_file(wide_teacher / "model.safetensors")
    for name in manifest.adapter.nf4:
        stored = bitsandbytes.nn.Params4bit(before[f"{name}.weight"], quant_type="nf4").to("cpu")
        expected = bitsandbytes.functional.dequantize_4bit(stored.data, stored.quant_state)
        lora = f"base_model.model.{name}.lora_{{}}.weight"
        if lora.format("A") in adapter:
            expected = expected + 16 / 8 * adapter[lora.format("B")] @ adapter[lora.format("A")]
        torch.testing.assert_close(merged[f"{name}.weight"], expected, rtol=0, atol=1e-6)
        assert not torch.equal(merged[f"{name}.weight"], before[f"{name}.weight"])
    assert torch.equal(ask(_model(tmp_path / "True")), ask(_model(tmp_path / "False")))
    plain = sum(tensor.numel() for tensor in merged.values())
    assert _record(tmp_path / "True")["total_parameters"] == plain + 2 * 2 * 8 * (128 + 128)


def test_live_model_on_a_quantized_base_is_the_one_that_is_saved(wide_teacher):
    trainable = TrainableModel(
        Initialization(wide_teacher, kind_with(), seed=1), Tuning(adapter=Adapter(base="nf4", dropout=0.0))
    )
    for name, parameter in trainable.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    finished, _ = trainable.finish()
    ids = torch.tensor([[2, 5, 6, 7, 3]])
    # As it computes while training; the kernels for inference on CPUs multiply in bf16.
    engine._set_dropout(trainable.model, 0.0)
    live = trainable.model.train()(input_ids=ids).logits
    torch.testing.assert_close(live, finished(input_ids=ids).logits, rtol=0, atol=1e-5)


def test_quantized_base_of_a_model_without_legal_shapes_is_refused(tiny_model):
    model = Initialization(tiny_model, kind_with(), seed=1).open()
    with pytest.raises(ConstrictorError, match=r"'base: nf4' fits no layer of this model.*Use 'base: fp32'"):
        quantize_base(model, {"a": torch.nn.Linear(64, 20), "b": torch.nn.Linear(96, 64)})


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        (["query", "value"], 8),
        (["ffn_out"], 4),
        (["output.dense"], 8),
        (["dense"], 12),
        (["query", "self.query"], 4),
        ("all", 24),
    ],
)
def test_targets(tiny_model, targets, count):
    model = Initialization(tiny_model, kind_with(), seed=1).open()
    names = target_modules(model, targets)
    assert len(set(names)) == len(names) == count
    if targets == ["ffn_out"]:
        assert names[0] == "bert.encoder.layer.0.output.dense"


def test_unknown_target_is_refused_with_the_names_that_exist(tiny_model):
    with pytest.raises(
        ConstrictorError, match=r"no matrix 'querry'.*Did you mean 'query'\? Known: attention_output, ffn"
    ):
        TrainableModel(Initialization(tiny_model, kind_with(), seed=1), Tuning(adapter=Adapter(targets=["querry"])))


def test_targets_and_head_of_gpt2():
    from transformers import GPT2Config, GPT2ForSequenceClassification

    model = GPT2ForSequenceClassification(GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=50, n_positions=16))
    assert head_modules(model) == ["score"]
    assert target_modules(model, ["c_attn"]) == ["transformer.h.0.attn.c_attn", "transformer.h.1.attn.c_attn"]
    assert target_modules(model, ["ffn_in"]) == ["transformer.h.0.mlp.c_fc", "transformer.h.1.mlp.c_fc"]
    with pytest.raises(ConstrictorError, match="no matrix 'query'"):
        target_modules(model, ["query"])


def test_head_of_bert_is_pooler_and_classifier(tiny_model):
    assert head_modules(Initialization(tiny_model, kind_with(), seed=1).open()) == ["bert.pooler", "classifier"]


def test_dropout_of_the_step_leaves_that_of_the_adapter(tiny_model):
    trainable = TrainableModel(Initialization(tiny_model, kind_with(), seed=1), Tuning(adapter=Adapter(dropout=0.3)))
    engine._set_dropout(trainable.model, 0.0)
    shares = {name: m.p for name, m in trainable.model.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert {share for name, share in shares.items() if "lora" in name} == {0.3}
    assert {share for name, share in shares.items() if "lora" not in name} == {0.0}


def test_adapter_and_frozen_encoder_exclude_each_other():
    with pytest.raises(ValidationError, match="mutually exclusive"):
        Finetune.model_validate({"stage": "finetune", "train": "head", "adapter": {}})


def test_new_head_upon_a_kept_adapter(kept):
    model = load_classifier(kept / "model", ["a", "b", "c"], 32, seed=4, new_head=True)
    again = load_classifier(kept / "model", ["a", "b", "c"], 32, seed=4, new_head=True)
    assert model.classifier.weight.shape == (3, 32)
    assert torch.equal(model.classifier.weight, again.classifier.weight)
    other = load_classifier(kept / "model", ["a", "b", "c"], 32, seed=5, new_head=True)
    assert not torch.equal(model.classifier.weight, other.classifier.weight)
    query = "bert.encoder.layer.0.attention.self.query.weight"
    assert torch.equal(model.state_dict()[query], _model(kept).state_dict()[query])
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_tokenizer_of_a_kept_adapter(kept):
    assert len(Tokenizer(kept / "model", 32).encode(["the film was great"])[0]) == 6
