from functools import partial

import numpy as np
import pytest
import torch
from heads import load_classifier, sample_of

from constrictor.compression.pruning.wanda import input_norms, prune_by_wanda
from constrictor.compression.sample import Sample
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.models.architecture import encoder_linears
from constrictor.study.steps.prune import Wanda


@pytest.fixture
def sample(tiny_teacher, tiny_task) -> Sample:
    """Examples of different lengths, so that batches are padded."""
    tokenizer = Tokenizer(tiny_teacher, 32)
    examples = read_examples(tiny_task / "train.parquet")
    encoded = [ids[: 3 + row % 8] for row, ids in enumerate(tokenizer.encode(examples.texts)[:40])]
    return sample_of(encoded, examples.labels[:40], tokenizer.pad_id)


@pytest.fixture
def model(tiny_teacher):
    return load_classifier(tiny_teacher, ["bad", "good"], 32)


def _reference_norms(model, sample) -> dict[str, np.ndarray]:
    """All activations at once, of one example at a time: nothing is padded."""
    seen: dict[str, list[np.ndarray]] = {name: [] for name in encoder_linears(model)}

    def keep(name, module, inputs, output):
        seen[name].append(inputs[0][0].numpy())

    handles = [module.register_forward_hook(partial(keep, name)) for name, module in encoder_linears(model).items()]
    with torch.no_grad():
        for ids in sample.encoded:
            model(input_ids=torch.from_numpy(ids)[None])
    for handle in handles:
        handle.remove()
    return {name: np.linalg.norm(np.concatenate(parts), axis=0) for name, parts in seen.items()}


def test_norms_are_those_of_all_tokens_without_padding(model, sample):
    expected = _reference_norms(model, sample)
    found = input_norms(model, encoder_linears(model), sample)
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(found[name].numpy(), expected[name], rtol=1e-4, err_msg=name)


def test_dropout_is_off_while_norms_are_taken_and_no_hook_stays(model, sample):
    linears = encoder_linears(model)
    expected = input_norms(model, linears, sample)
    model.train()
    found = input_norms(model, linears, sample)
    assert all(torch.equal(found[name], expected[name]) for name in linears)
    assert not any(module._forward_pre_hooks for module in linears.values())


@pytest.mark.parametrize(("amount", "group"), [({"sparsity": 0.3}, None), ({"pattern": "2:4"}, 4)])
def test_pruned_are_the_lowest_scores_of_each_neuron(model, sample, amount, group):
    linears = encoder_linears(model)
    before = {name: module.weight.detach().clone().numpy() for name, module in linears.items()}
    norms = _reference_norms(model, sample)
    prune_by_wanda(model, Wanda(stage="prune", method="wanda", **amount), sample)
    for name, weight in before.items():
        score = np.abs(weight) * norms[name]
        rows = score.reshape(-1, group or score.shape[1])
        count = rows.shape[1] // 2 if group else round(0.3 * rows.shape[1])
        mask = np.ones_like(rows)
        np.put_along_axis(mask, np.argsort(rows, axis=1, kind="stable")[:, :count], 0, axis=1)
        after = linears[name].weight.detach().numpy()
        kept = mask.reshape(weight.shape) == 1
        # Of two scores that agree to five digits, either may be the lower one.
        assert ((after != 0) != kept).mean() <= 0.001, name
        assert ((after == 0) | (after == weight)).all(), name
        assert ((after != 0).reshape(rows.shape).sum(axis=1) == rows.shape[1] - count).all(), name
