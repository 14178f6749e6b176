import json

import pytest
import torch
from heads import head_with, kind_with, load_classifier
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from constrictor.errors import ConstrictorError
from constrictor.models.torch_model import load_model


@pytest.fixture
def swapped(tiny_teacher, tmp_path):
    """The tiny teacher with its two outputs in the other order, as somebody else may have trained it."""
    model = AutoModelForSequenceClassification.from_pretrained(tiny_teacher)
    with torch.no_grad():
        for parameter in model.classifier.parameters():
            parameter.copy_(parameter.flip(0))
    model.config.id2label, model.config.label2id = {0: "GOOD", 1: "BAD"}, {"GOOD": 0, "BAD": 1}
    model.save_pretrained(tmp_path / "swapped")
    return tmp_path / "swapped"


def _configure(folder, **changes):
    file = folder / "config.json"
    config = {**json.loads(file.read_text(encoding="utf-8")), **changes}
    file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}), encoding="utf-8")


def test_head_with_another_order_computes_the_same_labels(swapped, tiny_teacher, ask):
    expected = ask(load_classifier(tiny_teacher, ["bad", "good"], 32))
    model = load_classifier(swapped, ["bad", "good"], 32)
    assert torch.equal(ask(model), expected)
    assert model.config.id2label == {0: "bad", 1: "good"}
    assert torch.equal(ask(load_classifier(swapped, ["good", "bad"], 32)), expected.flip(1))


def test_outputs_without_names_need_the_key_labels(swapped, tiny_teacher, ask):
    _configure(swapped, id2label=None, label2id=None)
    with pytest.raises(ConstrictorError, match=r"Its outputs: LABEL_0, LABEL_1\. The task's labels: bad, good\."):
        load_classifier(swapped, ["bad", "good"], 32)
    model = load_model(swapped, head_with(), 32, labels={"LABEL_0": "good", "LABEL_1": "bad"})
    assert torch.equal(ask(model), ask(load_classifier(tiny_teacher, ["bad", "good"], 32)))


def test_labels_for_a_checkpoint_without_a_head_are_refused(tiny_model):
    with pytest.raises(
        ConstrictorError, match=r"'labels': the model in .* brings no head of a text classifier\. Remove"
    ):
        load_model(tiny_model, head_with(), 32, labels={"LABEL_0": "bad"})


def test_head_for_another_kind_of_task_is_refused(swapped):
    with pytest.raises(
        ConstrictorError, match="says single_label_classification, and the task needs multi_label_classif"
    ):
        load_model(swapped, kind_with(["bad", "good"], kind="multilabel").head, 32)
    with pytest.raises(ConstrictorError, match="another kind of task"):
        load_model(swapped, kind_with(["score"], kind="regression").head, 32)
    load_model(swapped, kind_with(["score"], kind="regression").head, 32, new_head=True)


@pytest.mark.parametrize("lost", ["classifier.weight", "classifier.bias", "bert.pooler.dense.weight"])
def test_head_that_the_configuration_names_and_the_weights_lack_is_refused(swapped, lost):
    weights = load_file(swapped / "model.safetensors")
    del weights[lost]
    save_file(weights, swapped / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConstrictorError, match=f"not those that its config.json describes: {lost} is missing"):
        load_classifier(swapped, ["bad", "good"], 32)


def test_new_head_replaces_one_of_the_same_shape(swapped):
    kept = load_classifier(swapped, ["bad", "good"], 32)
    new = [load_classifier(swapped, ["bad", "good"], 32, seed=seed, new_head=True) for seed in (1, 1, 2)]
    assert not torch.equal(new[0].classifier.weight, kept.classifier.weight)
    assert torch.equal(new[0].classifier.weight, new[1].classifier.weight)
    assert not torch.equal(new[0].classifier.weight, new[2].classifier.weight)
    encoder = [model.bert.encoder.layer[0].output.dense.weight for model in (new[0], kept)]
    assert torch.equal(*encoder)


def test_a_new_head_asks_for_no_names(swapped):
    model = load_classifier(swapped, ["a", "b", "c"], 32, new_head=True)
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}
