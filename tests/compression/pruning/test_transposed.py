"""Masks on GPT-2, whose matrices are stored as (inputs, outputs): the same weights go as if they were stored as in BERT."""

import copy

import numpy as np
import pytest
import torch
from heads import sample_of
from transformers import GPT2Config, GPT2ForSequenceClassification

from constrictor.compression.pruning.prune import METHODS
from constrictor.models.quantized.modules import linears_of
from constrictor.study.steps.prune import Magnitude, Movement, Wanda


def _gpt2() -> GPT2ForSequenceClassification:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=4, n_positions=32, num_labels=2, pad_token_id=0)
    return GPT2ForSequenceClassification(config).eval()


@pytest.fixture
def sample():
    generator = np.random.default_rng(0)
    encoded = [generator.integers(1, 50, 5 + row % 8).astype(np.int32) for row in range(32)]
    return sample_of(encoded, np.zeros(32, np.int64), 0)


@pytest.mark.parametrize(
    "settings",
    [
        Magnitude(stage="prune", method="magnitude", sparsity=0.4),
        Magnitude(stage="prune", method="magnitude", sparsity=0.4, scope="layer"),
        Magnitude(stage="prune", method="magnitude", pattern="2:4"),
        Wanda(stage="prune", method="wanda", sparsity=0.5, calibration_size=32),
        Wanda(stage="prune", method="wanda", pattern="1:4", calibration_size=32),
    ],
    ids=lambda settings: f"{settings.method} {settings.pattern or settings.sparsity}",
)
def test_masks_are_those_of_the_model_with_its_matrices_turned(settings, sample):
    model, turned = _gpt2(), _gpt2()
    names = [name for name in linears_of(turned) if ".h." in name]
    pruned = METHODS[settings.method](model, settings, sample)
    assert pruned.details() == METHODS[settings.method](turned, settings, sample).details()
    for name in names:
        found, expected = model.get_submodule(name).weight.t() == 0, turned.get_submodule(name).weight == 0
        # Of equal scores the first go, and the order is another one.
        assert (found != expected).float().mean() < 0.002, name
    weight = model.get_submodule(names[0]).weight
    zeros = weight == 0
    with torch.no_grad():
        weight.fill_(1)
        pruned.after_step(0.5)
    assert torch.equal(weight == 0, zeros)


@pytest.mark.parametrize(
    "settings",
    [
        Magnitude(stage="prune", method="magnitude", sparsity=0.4, gradual=True, finetune_epochs=1),
        Movement(stage="prune", method="movement", sparsity=0.4, finetune_epochs=1),
    ],
    ids=lambda settings: settings.method,
)
def test_gradual_masks_reach_their_sparsity_and_become_permanent(settings):
    model = _gpt2()
    before = copy.deepcopy(model.state_dict())
    pruned = METHODS[settings.method](model, settings, None)
    model(torch.ones(1, 4, dtype=torch.long)).logits.sum().backward()
    pruned.after_step(1.0)
    pruned.finish()
    assert pruned.details() == {
        "weights": 2 * (16 * 48 + 16 * 16 + 2 * 16 * 64),
        "sparsity": pytest.approx(0.4, abs=1e-3),
    }
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(((after[name] == 0) | (after[name] == before[name])).all() for name in before)
