import copy
import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from heads import head_with, kind_with, load_classifier, logits, logits_of, sample_of, task_in, train_plan
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from constrictor.compression.export.export import export
from constrictor.compression.pruning import structured
from constrictor.compression.pruning.budget import Part, keep_alike, keep_budget, keep_share, most_important
from constrictor.compression.pruning.cost_table import measure_costs
from constrictor.compression.pruning.importance import (
    activation_importance,
    importance_of,
    magnitude_importance,
    taylor_importance,
)
from constrictor.compression.pruning.prune import prune
from constrictor.compression.pruning.structured import prune_structured
from constrictor.compression.sample import Sample
from constrictor.data.examples import UNLABELLED, read_examples, unlabelled, write_examples
from constrictor.errors import ConstrictorError
from constrictor.models.architecture import encoder_layers, keep_layers
from constrictor.models.manifest import read_manifest
from constrictor.models.torch_model import load_model
from constrictor.models.widths import blocks_of, input_width, keep_heads, keep_neurons
from constrictor.runtimes.load import load
from constrictor.runtimes.torch import forward
from constrictor.study.steps.export import Export
from constrictor.study.steps.prune import Structured
from constrictor.training.node import Node

SMALL = {"vocab_size": 50, "num_labels": 2, "pad_token_id": 0}
BERT_LIKE = {**SMALL, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 24}
CONFIGS = {
    "bert": BertConfig(**BERT_LIKE),
    "roberta": RobertaConfig(**BERT_LIKE),
    "xlm-roberta": XLMRobertaConfig(**BERT_LIKE),
    "electra": ElectraConfig(**BERT_LIKE, embedding_size=8),
    "albert": AlbertConfig(**BERT_LIKE, embedding_size=8),
    "mpnet": MPNetConfig(**BERT_LIKE),
    "distilbert": DistilBertConfig(**SMALL, dim=16, n_layers=3, n_heads=4, hidden_dim=24),
    "gpt2": GPT2Config(**SMALL, n_embd=16, n_layer=3, n_head=4, n_positions=32),
}
WITH_HEADS = [name for name in CONFIGS if name not in ("mpnet", "gpt2")]


def _model(name: str):
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(copy.deepcopy(CONFIGS[name])).eval()
    for parameter in model.parameters():  # the usual start is so small that nothing matters
        nn.init.normal_(parameter, std=0.3)
    return model


def _batch(seed=0, rows=5):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(4, 12, rows)
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    return {"input_ids": generator.integers(3, 50, mask.shape) * mask, "attention_mask": mask}


def _sample(rows=10, seed=0) -> Sample:
    batch = _batch(seed, rows)
    encoded = [ids[mask == 1] for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]
    return sample_of(encoded, np.random.default_rng(seed).integers(0, 2, rows), pad_id=0)


def _silence(block, heads, neurons) -> None:
    """Let nothing of what is not kept reach the rest of the model: the masked twin of a cut."""
    with torch.no_grad():
        for head in set(range(block.heads)) - set(heads):
            block.attention_output.weight[:, head * block.head_size : (head + 1) * block.head_size] = 0
        gone = torch.tensor(sorted(set(range(block.neurons)) - set(neurons)), dtype=torch.long)
        if type(block.ffn_out).__name__ == "Conv1D":
            block.ffn_out.weight[gone] = 0
        else:
            block.ffn_out.weight[:, gone] = 0


@pytest.mark.parametrize("name", CONFIGS)
def test_pruned_model_computes_what_its_masked_twin_does(name):
    model, masked = _model(name), _model(name)
    layers = blocks_of(model)
    for number, (block, twin) in enumerate(zip(layers, blocks_of(masked), strict=True)):
        heads = [number % 4, 3] if name in WITH_HEADS else list(range(block.heads))
        neurons = list(range(number, block.neurons, 2))
        _silence(twin, sorted(set(heads)), neurons)
        if name in WITH_HEADS:
            keep_heads(block, torch.tensor(sorted(set(heads))))
        keep_neurons(block, torch.tensor(neurons))
        assert block.neurons == len(neurons)
    batch = _batch()
    for attention in ("eager", "sdpa"):
        model.set_attn_implementation(attention)
        np.testing.assert_allclose(
            logits(forward(model, batch, head_with())), logits(forward(masked, batch, head_with())), atol=1e-5
        )
    assert sum(p.numel() for p in model.parameters()) < sum(p.numel() for p in masked.parameters())


@pytest.mark.parametrize("name", CONFIGS)
def test_every_family_opens_as_a_classifier(name, tmp_path):
    model = _model(name)
    model.save_pretrained(tmp_path)
    opened = load_model(tmp_path, head_with(["a", "b"]), 16, labels={"LABEL_0": "a", "LABEL_1": "b"}).eval()
    np.testing.assert_allclose(
        logits(forward(opened, _batch(rows=1), head_with())),
        logits(forward(model, _batch(rows=1), head_with())),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", WITH_HEADS)
def test_taylor_importance_is_the_slope_of_the_loss(name):
    """Finite differences: scale one head or neuron by 1 - e in one example and see how the loss moves."""
    model, sample = _model(name).double(), _sample(rows=3)
    found = taylor_importance(model, sample)
    step = 1e-5
    for layer, unit in ((0, 1), (len(found) - 1, 2)):
        for kind in ("heads", "neurons"):
            slopes = []
            for ids, label in zip(sample.encoded, sample.targets["labels"], strict=True):
                losses = [_scaled_loss(model, ids, label, layer, unit, kind, 1 + sign * step) for sign in (-1, 1)]
                slopes.append(abs(losses[1] - losses[0]) / (2 * step))
            assert getattr(found[layer], kind)[unit].item() == pytest.approx(np.mean(slopes), rel=1e-3, abs=1e-7)


def _scaled_loss(model, ids, label, layer, unit, kind, factor) -> float:
    block = blocks_of(model)[layer]
    matrix, width = (block.attention_output, block.head_size) if kind == "heads" else (block.ffn_out, 1)

    def scale(module, inputs):
        scaled = inputs[0].clone()
        scaled[..., unit * width : (unit + 1) * width] *= factor
        return (scaled,)

    hook = matrix.register_forward_pre_hook(scale)
    with torch.no_grad():
        logits = model(input_ids=torch.from_numpy(ids)[None]).logits[0]
    hook.remove()
    return float(logits.logsumexp(0) - logits[label])


def test_magnitude_importance_is_the_norm_of_what_would_go():
    model = _model("bert")
    layer = encoder_layers(model)[1]
    found = magnitude_importance(model, _sample())[1]
    rows = slice(8, 12)  # head 2 of width 4
    parts = [getattr(layer.attention.self, part).weight[rows] for part in ("query", "key", "value")]
    parts.append(layer.attention.output.dense.weight[:, rows])
    assert found.heads[2].item() == pytest.approx(
        math.sqrt(sum(float((p.detach() ** 2).sum()) for p in parts)), rel=1e-5
    )
    both = torch.cat([layer.intermediate.dense.weight[5], layer.output.dense.weight[:, 5]])
    assert found.neurons[5].item() == pytest.approx(both.norm().item(), rel=1e-5)


def test_magnitude_importance_of_matrices_that_stand_the_other_way_round():
    model = _model("gpt2")
    layer = encoder_layers(model)[1].mlp
    both = torch.cat([layer.c_fc.weight[:, 5], layer.c_proj.weight[5]])
    found = magnitude_importance(model, _sample())[1].neurons
    assert found.shape == (64,)
    assert found[5].item() == pytest.approx(both.norm().item(), rel=1e-5)


def test_activation_importance_is_the_size_of_what_is_added_and_padding_adds_nothing():
    model, sample = _model("bert"), _sample(rows=7)
    layer = encoder_layers(model)[0]
    seen = {}
    layer.attention.output.dense.register_forward_pre_hook(lambda _, inputs: seen.update(context=inputs[0][0]))
    layer.output.dense.register_forward_pre_hook(lambda _, inputs: seen.update(neurons=inputs[0][0]))
    heads, neurons, tokens = np.zeros(4), np.zeros(24), 0
    for ids in sample.encoded:  # one by one, without padding
        with torch.no_grad():
            model(input_ids=torch.from_numpy(ids)[None])
        tokens += len(ids)
        for head in range(4):
            part = slice(4 * head, 4 * head + 4)
            added = seen["context"][:, part] @ layer.attention.output.dense.weight[:, part].T
            heads[head] += float(added.detach().square().sum())
        for neuron in range(24):
            added = torch.outer(seen["neurons"][:, neuron], layer.output.dense.weight[:, neuron])
            neurons[neuron] += float(added.detach().square().sum())
    found = activation_importance(model, sample)[0]
    np.testing.assert_allclose(found.heads.numpy(), np.sqrt(heads / tokens), rtol=1e-3)
    np.testing.assert_allclose(found.neurons.numpy(), np.sqrt(neurons / tokens), rtol=1e-3)


def test_scoring_leaves_the_model_as_it_was():
    model = _model("bert").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for score in ("taylor", "magnitude", "activation"):
        found, expected = (importance_of(each, _sample(), score) for each in (model, _model("bert")))
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs)  # dropout is off
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_taylor_refuses_examples_without_labels():
    with pytest.raises(ConstrictorError, match="'taylor' needs labels"):
        taylor_importance(_model("bert"), dataclasses.replace(_sample(), labelled=False))


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("classification", [UNLABELLED] * 10),
        ("classification", [0] * 9 + [UNLABELLED]),
        ("regression", [0.5] * 9 + [np.nan]),
    ],
)
def test_a_sample_with_one_example_without_a_label_is_not_labelled(kind, labels):
    assert not kind_with(["a", "b"], kind).is_labelled(np.array(labels)).all()


PARTS = st.lists(
    st.builds(
        lambda scores, group, cost: Part(torch.tensor(scores), group, cost),
        st.lists(st.floats(0, 10, width=32), min_size=1, max_size=12),
        st.integers(1, 5),
        st.floats(0.1, 10),
    ),
    min_size=1,
    max_size=5,
)


@given(PARTS, st.floats(0, 0.99), st.booleans())
def test_shares_keep_whole_groups_and_never_empty_a_layer(parts, share, together):
    kept = keep_share(parts, share, together=together)
    for part, units in zip(parts, kept, strict=True):
        assert 1 <= units <= len(part.scores)
        assert units == len(part.scores) or units % part.group == 0
    if not together:
        for part, units in zip(parts, kept, strict=True):
            wanted = (1 - share) * len(part.scores)
            assert abs(units - wanted) <= part.group / 2 + 1e-6 or units in (len(part.scores), part.group)
    elif share == 0:
        assert kept == [len(part.scores) for part in parts]


@given(PARTS, st.floats(0, 50))
def test_a_budget_saves_enough_where_it_can_and_takes_the_cheapest_first(parts, savings):
    for keep in (keep_budget, keep_alike):
        kept = keep(parts, savings)
        saved = sum(part.cost * (len(part.scores) - units) for part, units in zip(parts, kept, strict=True))
        least = [min(len(part.scores), part.group) for part in parts]
        assert saved >= savings - 1e-6 or kept == least
        assert all(units >= fewest for units, fewest in zip(kept, least, strict=True))


def test_budget_removes_what_matters_least_for_its_cost():
    dear = Part(torch.tensor([4.0, 3.0, 2.0]), group=1, cost=10.0)  # squares for the cost: 0.4 and 0.9 may go
    cheap = Part(torch.tensor([5.0, 1.0, 1.0]), group=1, cost=1.0)  # 1 and 1
    assert keep_budget([dear, cheap], 1) == [2, 3]
    assert keep_budget([dear, cheap], 20) == [1, 3]
    assert keep_budget([dear, cheap], 21) == [1, 2]
    assert keep_budget([dear, cheap], 1000) == [1, 1]


def _whole_parts(seed: int) -> tuple[list[Part], int]:
    """Parts with whole numbers, so that sums are exact and many are equal, and savings that take some of their groups."""
    generator = np.random.default_rng(seed)
    parts = [
        Part(
            torch.from_numpy(generator.integers(0, 6, generator.integers(4, 12))).float(),
            int(generator.integers(1, 4)),
            float(generator.choice([1, 2, 4])),
        )
        for _ in range(3)
    ]
    return parts, int(generator.integers(1, sum(part.cost * len(part.scores) for part in parts)))


def _cut_one_by_one(parts: list[Part], savings: float, overshoot: bool) -> list[int]:
    """Again and again, of the last groups of all parts the one that goes with the least loss for its cost."""
    left = [sorted(part.scores.tolist(), reverse=True) for part in parts]
    saved = 0.0
    while saved < savings:
        ends = []
        for number, part in enumerate(parts):
            start = (len(left[number]) - 1) // part.group * part.group
            if start:
                cost = part.cost * (len(left[number]) - start)
                ends.append(
                    (sum(score**2 for score in left[number][start:]) / cost, -start / part.group, number, start, cost)
                )
        if not ends:
            break
        *_, number, start, cost = min(ends)
        if not overshoot and saved + cost > savings:
            break
        del left[number][start:]
        saved += cost
    return [len(scores) for scores in left]


@pytest.mark.parametrize("overshoot", [True, False])
def test_a_budget_is_pruned_group_by_group(overshoot):
    for seed in range(60):
        parts, savings = _whole_parts(seed)
        assert keep_budget(parts, savings, overshoot=overshoot) == _cut_one_by_one(parts, savings, overshoot), seed


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_share_of_all_together_is_a_budget_of_units_that_is_not_exceeded(share):
    for seed in range(20):
        parts = [part._replace(cost=1.0) for part in _whole_parts(seed)[0]]
        total = sum(len(part.scores) for part in parts)
        assert keep_share(parts, share, together=True) == _cut_one_by_one(parts, share * total, False), seed


def test_alike_means_the_same_share_of_every_part_and_no_more_than_it_takes():
    parts = [Part(torch.arange(12.0), 2, 1.0), Part(100 + torch.arange(12.0), 2, 1.0)]
    assert keep_alike(parts, 8) == [8, 8]
    assert keep_alike(parts, 8.5) == [6, 6]
    assert keep_alike(parts, 0) == [12, 12]
    assert keep_alike(parts, 100) == [2, 2]
    fine = [Part(torch.arange(1000.0), 1, 1.0)]
    assert keep_alike(fine, 123) == [877]
    assert keep_alike(fine, 999) == [1]


def test_most_important_are_taken_in_their_order():
    assert most_important(torch.tensor([3.0, 1.0, 3.0, 2.0]), 3).tolist() == [0, 2, 3]
    assert most_important(torch.tensor([1.0, 1.0, 1.0]), 2).tolist() == [0, 1]


def _prune(parent, task, folder, calibration=None, **settings):
    step = Structured(stage="prune", method="structured", calibration_size=32, **{"multiple_of": 8, **settings})
    return prune(
        step, parent, [calibration or task / "train.parquet"], None, task_in(task), Node(folder, "slim", seed=1)
    )


@pytest.mark.parametrize(
    ("settings", "heads", "ffn"),
    [
        ({"heads": 0.5}, [2] * 4, [64] * 4),
        ({"ffn": 0.5}, [4] * 4, [32] * 4),
        ({"heads": 0.5, "ffn": 0.3}, [2] * 4, [48] * 4),
        ({"heads": 0.9, "ffn": 0.99}, [1] * 4, [8] * 4),
        ({"heads": 0.5, "ffn": 0.5, "multiple_of": 32}, [4] * 4, [32] * 4),
        ({"sparsity": 0.5}, [2] * 4, [32] * 4),
    ],
)
def test_widths_are_the_requested_ones_rounded_to_groups(tiny_teacher, tiny_task, tmp_path, settings, heads, ffn):
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, **settings)
    assert manifest.details["pruned"]["heads"] == heads
    assert manifest.details["pruned"]["ffn"] == ffn
    model = load_classifier(tmp_path / "model", ["bad", "good"], 32)
    assert [(block.heads, block.neurons) for block in blocks_of(model)] == list(zip(heads, ffn, strict=True))


@pytest.mark.parametrize("settings", [{"heads": 0.5, "multiple_of": 32}, {"sparsity": 0.9, "multiple_of": 64}])
def test_pruning_of_which_rounding_leaves_nothing_is_refused(tiny_teacher, tiny_task, tmp_path, settings):
    with pytest.raises(
        ConstrictorError, match=r"nothing would be pruned: widths are rounded .*4 heads of 8 and 64 neurons"
    ):
        _prune(tiny_teacher, tiny_task, tmp_path, **settings)


@pytest.mark.parametrize("budget", [{"sparsity": 0.3}, {"latency": 0.3}, {"heads": 0.5, "ffn": 0.5}])
def test_a_global_budget_lets_layers_differ_and_the_artifact_keeps_its_outputs(
    tiny_teacher, tiny_task, tmp_path, budget
):
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, scope="global", **budget)
    removed = manifest.details["pruned"]["removed_share"]
    if "sparsity" in budget:
        assert 0.3 <= removed < 0.36
    assert manifest.shape is not None
    model = load_classifier(tmp_path / "model", ["bad", "good"], 32).eval()
    runtime = load(tmp_path / "model")
    texts = read_examples(tiny_task / "test.parquet").texts
    encoded = runtime.tokenizer.encode(texts)
    expected = [model(input_ids=torch.from_numpy(ids)[None]).logits[0].detach().numpy() for ids in encoded]
    np.testing.assert_allclose(logits_of(runtime, texts), np.stack(expected), atol=1e-5)
    export(Export(stage="export"), tmp_path / "model", tiny_task / "validation.parquet", tmp_path / "onnx", "onnx")
    np.testing.assert_allclose(logits_of(load(tmp_path / "onnx"), texts), np.stack(expected), atol=1e-4)


def test_feed_forward_parts_of_equal_width_open_without_us(tiny_teacher, tiny_task, tmp_path):
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, ffn=0.5)
    assert manifest.shape is None
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    ours = load_classifier(tmp_path / "model", ["bad", "good"], 32).eval()
    np.testing.assert_array_equal(
        logits(forward(model, _tokens(), head_with())), logits(forward(ours, _tokens(), head_with()))
    )


def _tokens():
    return {"input_ids": np.array([[2, 8, 9, 3]]), "attention_mask": np.ones((1, 4), dtype=np.int64)}


def test_a_pruned_model_can_be_pruned_again_finetuned_and_lose_layers(tiny_teacher, tiny_task, tmp_path):
    _prune(tiny_teacher, tiny_task, tmp_path / "once", sparsity=0.3, scope="global")
    settings = {"heads": 0.5, "ffn": 0.5, "finetune_epochs": 1, "lr": 1e-3}
    step = Structured(stage="prune", method="structured", calibration_size=32, multiple_of=8, **settings)
    again = prune(
        step, tmp_path / "once" / "model", [tiny_task / "train.parquet"], train_plan(task_in(tiny_task)),
        task_in(tiny_task), Node(tmp_path / "twice", "slim", seed=1),
    )  # fmt: skip
    before = read_manifest(tmp_path / "once" / "model")
    assert again.parameters < before.parameters < read_manifest(tiny_teacher).parameters
    model = load_classifier(tmp_path / "twice" / "model", ["bad", "good"], 32)
    keep_layers(model, [1, 3])
    assert len(blocks_of(model)) == 2


def test_weights_that_disagree_with_the_manifest_are_refused(tiny_teacher, tiny_task, tmp_path):
    _prune(tiny_teacher, tiny_task, tmp_path, heads=0.5)
    file = tmp_path / "model" / "manifest.json"
    file.write_text(file.read_text().replace('"heads": [\n      2,', '"heads": [\n      1,', 1))
    with pytest.raises(ConstrictorError, match=r"does not match its manifest: .*query\.weight should be \(8, 32\)"):
        load_classifier(tmp_path / "model", ["bad", "good"], 32)
    file.write_text(file.read_text().replace('"heads": [\n      1,', '"heads": [\n      9,', 1))
    with pytest.raises(ConstrictorError, match="a layer with 9 heads"):
        load_classifier(tmp_path / "model", ["bad", "good"], 32)


def test_what_cannot_be_pruned_is_refused_by_name(tiny_task, tmp_path):
    settings = Structured(stage="prune", method="structured", heads=0.5)
    with pytest.raises(ConstrictorError, match="heads of 'mpnet' cannot be pruned: all its layers share one table"):
        prune_structured(_model("mpnet"), settings, _sample())
    with pytest.raises(ConstrictorError, match="layers of 'albert' cannot be dropped: its layers share one set"):
        keep_layers(_model("albert"), [0])
    model = _model("bert")
    model.config.model_type = "sphinx"
    with pytest.raises(ConstrictorError, match=r"the layers of .sphinx. are not known"):
        blocks_of(model)


def _matrices(model) -> int:
    return sum(weight.numel() for layer in encoder_layers(model) for weight in layer.parameters() if weight.ndim == 2)


def test_what_matters_least_is_pruned_and_what_stays_is_recorded():
    model, whole = _model("bert"), _model("bert")
    settings = Structured(stage="prune", method="structured", heads=0.5, ffn=0.5, multiple_of=4, score="magnitude")
    details = prune_structured(model, settings, _sample()).details()
    assert details == {
        "score": "magnitude", "heads": [2] * 3, "ffn": [12] * 3,
        "removed_share": pytest.approx(1 - _matrices(model) / _matrices(whole)),
    }  # fmt: skip
    scores = magnitude_importance(whole, _sample())
    for layer, before, score in zip(encoder_layers(model), encoder_layers(whole), scores, strict=True):
        neurons = sorted(np.argsort(-score.neurons.numpy())[:12])
        assert torch.equal(layer.intermediate.dense.weight, before.intermediate.dense.weight[neurons])
        heads = sorted(np.argsort(-score.heads.numpy())[:2])
        rows = [4 * head + row for head in heads for row in range(4)]
        assert torch.equal(layer.attention.self.query.weight, before.attention.self.query.weight[rows])


@pytest.mark.parametrize(("scope", "keep"), [("layer", keep_alike), ("global", keep_budget)])
@pytest.mark.parametrize(("multiple_of", "head_group"), [(2, 1), (4, 1), (8, 2)])
@pytest.mark.parametrize("budget", ["sparsity", "latency"])
def test_a_budget_is_over_what_heads_and_neurons_cost(monkeypatch, scope, keep, multiple_of, head_group, budget):
    table = SimpleNamespace(head_ms=0.3, neuron_ms=0.02, layer_ms=2.0, record=lambda: {"batch": 8})
    monkeypatch.setattr(structured, "measure_costs", lambda model, block: table)
    model = _model("bert")
    before, scores = _matrices(model), magnitude_importance(model, _sample())
    # A head of width 4 has a row or column of 16 in each of four matrices, a neuron one in each of two.
    head, neuron, layer = (4 * 4 * 16, 2 * 16, before / 3) if budget == "sparsity" else (0.3, 0.02, 2.0)
    parts = [Part(score.heads, head_group, head) for score in scores]
    parts += [Part(score.neurons, multiple_of, neuron) for score in scores]
    expected = keep(parts, 0.4 * 3 * layer)
    settings = {"scope": scope, "multiple_of": multiple_of, "score": "magnitude", budget: 0.4}
    details = prune_structured(model, Structured(stage="prune", method="structured", **settings), _sample()).details()
    assert details["heads"] + details["ffn"] == expected
    assert [(block.heads, block.neurons) for block in blocks_of(model)] == list(
        zip(details["heads"], details["ffn"], strict=True)
    )
    assert details["removed_share"] == pytest.approx(1 - _matrices(model) / before, abs=1e-6)
    assert details.get("cost_table") == ({"batch": 8} if budget == "latency" else None)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_shares_are_of_each_layer_or_of_all_together(scope):
    model = _model("bert")
    scores = magnitude_importance(model, _sample())
    settings = Structured(
        stage="prune", method="structured", heads=0.4, ffn=0.3, multiple_of=4, scope=scope, score="magnitude"
    )
    details = prune_structured(model, settings, _sample()).details()
    for kind, group, share in (("heads", 1, 0.4), ("neurons", 4, 0.3)):
        parts = [Part(getattr(score, kind), group, 1.0) for score in scores]
        assert details["heads" if kind == "heads" else "ffn"] == keep_share(parts, share, together=scope == "global")


@pytest.mark.parametrize("name", ["gpt2", "mpnet"])
def test_a_budget_over_a_model_whose_heads_stay_prunes_neurons_alone(name):
    model = _model(name)
    settings = Structured(stage="prune", method="structured", sparsity=0.2, multiple_of=4, score="magnitude")
    details = prune_structured(model, settings, _sample()).details()
    assert details["heads"] == [4] * 3
    assert details["ffn"] == [block.neurons for block in blocks_of(model)]
    assert 0.2 <= details["removed_share"] < 0.3
    assert logits(forward(model, _batch(rows=1), head_with())).shape == (1, 2)


@pytest.mark.parametrize("name", CONFIGS)
def test_costs_are_measured_for_every_family(name):
    model = _model(name)
    before = [input_width(block.ffn_out) for block in blocks_of(model)]
    table = measure_costs(model, blocks_of(model)[0])
    assert min(table.head_ms, table.neuron_ms, table.layer_ms) > 0
    assert max(table.ffn) == blocks_of(model)[0].neurons
    assert before == [input_width(block.ffn_out) for block in blocks_of(model)]


def test_too_few_calibration_examples_are_refused(tiny_teacher, tiny_task, tmp_path):
    few = tmp_path / "few.parquet"
    write_examples(few, unlabelled(["a"], ["some text"]))
    with pytest.raises(ConstrictorError, match="'train' has 1 examples and the step calibrates on 32"):
        _prune(tiny_teacher, tiny_task, tmp_path, few, heads=0.5)
    assert not (tmp_path / "model").exists()
