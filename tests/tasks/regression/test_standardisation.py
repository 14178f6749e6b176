import copy

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    GPT2Config,
    RobertaConfig,
)

from constrictor.tasks.regression.model import label_loss
from constrictor.tasks.regression.standardisation import standardised, units_of

SMALL = {"vocab_size": 50, "num_labels": 1, "pad_token_id": 0}
BERT_LIKE = {**SMALL, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
CONFIGS = {
    "bert": BertConfig(**BERT_LIKE),
    "roberta": RobertaConfig(**BERT_LIKE),
    "distilbert": DistilBertConfig(**SMALL, dim=16, n_layers=1, n_heads=2, hidden_dim=24),
    "gpt2": GPT2Config(**SMALL, n_embd=16, n_layer=1, n_head=2, n_positions=32),
}
IDS = torch.randint(5, 40, (6, 9), generator=torch.Generator().manual_seed(0))
PRICES = np.array([200_000, 350_000, 460_000, 250_000, 300_000, np.nan], np.float32)
UNITS = units_of({"labels": PRICES}, centred=True)


def _model(name: str):
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(CONFIGS[name]).eval()


def _outputs(model) -> torch.Tensor:
    return model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits


def test_units_are_those_of_the_known_values():
    assert UNITS.mean == pytest.approx(np.nanmean(PRICES))
    assert UNITS.scale == pytest.approx(np.nanstd(PRICES.astype(float)))
    assert units_of({"labels": PRICES}, centred=False).scale == pytest.approx(
        np.sqrt(np.nanmean(PRICES.astype(float) ** 2))
    )
    unlabelled = {"labels": np.full(3, np.nan), "teacher_logits": np.array([[1.0], [2.0], [6.0]])}
    assert units_of(unlabelled, centred=True).mean == 3.0
    assert units_of({"labels": np.full(3, 7.0)}, centred=True) == (1.0, 7.0)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_new_head_begins_at_the_mean_and_ends_plain(name):
    model = _model(name)
    before = _outputs(model)
    with standardised(model, {"labels": PRICES}, new_head=True) as unit:
        inside = _outputs(model)
    assert unit == pytest.approx(units_of({"labels": PRICES}, centred=name != "gpt2").scale ** 2)
    mean = 0.0 if name == "gpt2" else UNITS.mean  # its head has no bias
    torch.testing.assert_close(inside, before * unit**0.5 + mean)
    torch.testing.assert_close(_outputs(model), inside, rtol=1e-5, atol=0)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("name", CONFIGS)
def test_a_kept_head_computes_what_it_did_before_during_and_after(name):
    model = _model(name)
    with standardised(model, {"labels": PRICES}, new_head=True):
        pass
    before = _outputs(model)
    with standardised(model, {"labels": PRICES}, new_head=False):
        torch.testing.assert_close(_outputs(model), before, rtol=1e-5, atol=0)
    torch.testing.assert_close(_outputs(model), before, rtol=1e-5, atol=0)


def test_gradients_are_those_of_standardised_labels():
    model, reference = _model("bert"), _model("bert")
    labels = torch.from_numpy(PRICES)
    with standardised(model, {"labels": PRICES}, new_head=True) as unit:
        (label_loss({"logits": _outputs(model)}, {"labels": labels}) / unit).mean().backward()
    small = {"labels": (labels - UNITS.mean) / UNITS.scale}
    label_loss({"logits": _outputs(reference)}, small).mean().backward()
    for (name, found), expected in zip(model.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-6, msg=name)


def test_years_keep_their_last_digit_though_products_are_in_bf16():
    model, years = _model("bert"), np.array([1990, 2005, 2020], np.float32)
    exact = _model("bert")
    with (
        standardised(model, {"labels": years}, new_head=True),
        standardised(exact, {"labels": years}, new_head=True),
        torch.no_grad(),
    ):
        with torch.autocast("cpu", torch.bfloat16):
            rounded = _outputs(model)
        assert rounded.dtype == torch.float32
        assert (rounded - _outputs(exact)).abs().max() < 0.2  # bf16 itself counts 2000, 2008, 2016


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_of_an_adapters_heads_the_trained_one_is_standardised(name):
    model = _model(name)
    wrapped = get_peft_model(
        model, LoraConfig(task_type="SEQ_CLS", target_modules=["query"], modules_to_save=["classifier"])
    )
    old = copy.deepcopy(model.classifier.original_module.state_dict())
    before = _outputs(model)
    with standardised(model, {"labels": PRICES}, new_head=True):
        pass
    torch.testing.assert_close(_outputs(wrapped), before * UNITS.scale + UNITS.mean)
    assert all(torch.equal(tensor, old[key]) for key, tensor in model.classifier.original_module.state_dict().items())
