import pytest
import torch
from heads import head_with
from torch import nn
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from constrictor.compression.export.encoder_parts import take_apart
from constrictor.compression.export.lean import LeanClassifier, position_table, scale_query
from constrictor.errors import ConstrictorError

SIZES = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64,
         "max_position_embeddings": 50, "initializer_range": 0.3, "num_labels": 3}  # fmt: skip
CONFIGS = {
    "bert": BertConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES, pad_token_id=1),
    "xlm-roberta": XLMRobertaConfig(**SIZES, pad_token_id=1),
    "electra": ElectraConfig(**SIZES, embedding_size=16),
    "electra, as wide": ElectraConfig(**SIZES, embedding_size=32, hidden_act="relu"),
    "distilbert": DistilBertConfig(
        vocab_size=40, dim=32, n_layers=3, n_heads=4, hidden_dim=64, max_position_embeddings=50, num_labels=3,
        initializer_range=0.3,
    ),
}  # fmt: skip
LENGTH = 20


def _classifier(config):
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").eval()
    for parameter in model.parameters():  # biases, norms and padding rows too
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def _batch(model, lengths):
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(4, 40, mask.shape, generator=torch.Generator().manual_seed(1))
    return torch.where(mask > 0, ids, model.config.pad_token_id), mask


def _cut(model, heads_by_layer, widths):
    """Take heads and feed-forward neurons out of layers, as structured pruning does."""
    for layer, heads, width in zip(take_apart(model).layers, heads_by_layer, widths, strict=True):
        rows = torch.cat([torch.arange(8) + 8 * head for head in heads])
        for linear in (layer.query, layer.key, layer.value):
            linear.weight, linear.bias = nn.Parameter(linear.weight[rows]), nn.Parameter(linear.bias[rows])
        layer.attention_output.weight = nn.Parameter(layer.attention_output.weight[:, rows])
        layer.up.weight, layer.up.bias = nn.Parameter(layer.up.weight[:width]), nn.Parameter(layer.up.bias[:width])
        layer.down.weight = nn.Parameter(layer.down.weight[:, :width])


@pytest.mark.parametrize("pruned", [False, True], ids=["whole", "pruned"])
@pytest.mark.parametrize("first_token", [False, True], ids=["all tokens", "first token"])
@pytest.mark.parametrize("merged", [False, True], ids=["apart", "merged"])
@pytest.mark.parametrize("family", CONFIGS)
def test_rewritten_model_has_the_outputs_of_the_plain_one(family, first_token, merged, pruned):
    model = _classifier(CONFIGS[family])
    if pruned:
        _cut(model, [(1,), (0, 2, 3), (0, 3)], (24, 64, 16))
    lean = LeanClassifier(model, head_with(), LENGTH, first_token=first_token, merged=merged)
    with torch.inference_mode():
        for lengths in ([LENGTH, 3, 7, 2], [5], [9, 9]):
            ids, mask = _batch(model, lengths)
            expected = model(input_ids=ids, attention_mask=mask).logits
            assert expected.std() > 0.1
            torch.testing.assert_close(lean(ids, mask), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("merged", [False, True], ids=["apart", "merged"])
@pytest.mark.parametrize("family", ["bert", "electra"])
def test_rewritten_model_reads_token_types_as_the_plain_one_does(family, merged):
    model = _classifier(CONFIGS[family])
    lean = LeanClassifier(model, head_with(), LENGTH, merged=merged, typed=True)
    with torch.inference_mode():
        ids, mask = _batch(model, [LENGTH, 3, 7])
        types = (torch.arange(LENGTH) > 1).long() * mask
        expected = model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
        assert (expected - model(input_ids=ids, attention_mask=mask).logits).abs().max() > 0.01
        torch.testing.assert_close(lean(ids, mask, types), expected, atol=1e-5, rtol=0)


def test_positions_of_roberta_skip_padding_wherever_it_stands():
    model = _classifier(CONFIGS["roberta"])
    ids = torch.tensor([[1, 1, 5, 6, 7], [5, 1, 6, 7, 1]])
    mask = (ids != 1).long()
    mask[1, 1] = 1  # the text itself says <pad>
    with torch.inference_mode():
        expected = model(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(LeanClassifier(model, head_with(), 5)(ids, mask), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("first_token", "tokens"), [(True, 1), (False, 6)])
def test_last_layer_sees_one_token_only_where_that_is_requested(first_token, tokens):
    model, seen = _classifier(CONFIGS["bert"]), []
    lean = LeanClassifier(model, head_with(), LENGTH, first_token=first_token)
    for layer in lean.layers:
        layer.up.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    lean(*_batch(model, [6, 6]))
    assert seen == [6, 6, tokens]


@pytest.mark.parametrize(("merged", "products"), [(False, [3, 3, 2]), (True, [1, 1, 1])])
def test_merged_projections_are_one_product(merged, products):
    lean = LeanClassifier(_classifier(CONFIGS["bert"]), head_with(), LENGTH, merged=merged)
    assert [len(layer.projections) for layer in lean.layers] == products


def test_foldings_by_hand():
    model = _classifier(CONFIGS["roberta"])
    parts, embeddings = take_apart(model), model.roberta.embeddings
    expected = embeddings.position_embeddings.weight[1:22] + embeddings.token_type_embeddings.weight[0]
    torch.testing.assert_close(position_table(parts, LENGTH), expected)
    assert position_table(take_apart(_classifier(CONFIGS["distilbert"])), LENGTH).shape == (LENGTH, 32)
    query = nn.Linear(5, 16)
    inputs = torch.randn(3, 5)
    torch.testing.assert_close(scale_query(query, 4)(inputs), query(inputs) / 2)


def test_rewriting_leaves_the_model_as_it_was():
    model = _classifier(CONFIGS["bert"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    LeanClassifier(model, head_with(), LENGTH, merged=True)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("config", [AlbertConfig, MPNetConfig], ids=["albert", "mpnet"])
def test_other_families_are_named_as_unknown(config):
    model = _classifier(config(**{**SIZES, "num_hidden_layers": 1}))
    with pytest.raises(ConstrictorError, match=f"structure of '{model.config.model_type}' is not known.*bert"):
        LeanClassifier(model, head_with(), LENGTH)


def test_decoder_is_refused():
    with pytest.raises(ConstrictorError, match="decoder"):
        LeanClassifier(_classifier(BertConfig(**SIZES, is_decoder=True)), head_with(), LENGTH)
