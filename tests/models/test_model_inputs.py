import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    RobertaConfig,
)

from constrictor.models.model_inputs import has_token_types, inputs_of

SIZES = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
CONFIGS = {
    "bert": (BertConfig(**SIZES), True),
    "electra": (ElectraConfig(**SIZES, embedding_size=8), True),
    "albert": (AlbertConfig(**SIZES, embedding_size=8), True),
    "bert of one type": (BertConfig(**SIZES, type_vocab_size=1), False),
    "roberta": (RobertaConfig(**SIZES, type_vocab_size=1), False),
    "distilbert": (DistilBertConfig(vocab_size=20, dim=8, n_layers=1, n_heads=2, hidden_dim=8), False),
    "distilbert with a stray number": (
        DistilBertConfig(vocab_size=20, dim=8, n_layers=1, n_heads=2, hidden_dim=8, type_vocab_size=2),
        False,
    ),
    "gpt2": (GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=2, pad_token_id=0), False),
}


@pytest.mark.parametrize("family", CONFIGS)
def test_a_model_gets_token_types_only_where_it_has_several(family):
    config, typed = CONFIGS[family]
    model = AutoModelForSequenceClassification.from_config(config).eval()
    ids = torch.tensor([[2, 5, 3, 6, 3]])
    single = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.tensor([0])}
    pair = {**single, "token_type_ids": torch.tensor([[0, 0, 0, 1, 1]])}
    assert has_token_types(model) == typed
    assert set(inputs_of(model, single)) == {"input_ids", "attention_mask"}
    assert ("token_type_ids" in inputs_of(model, pair)) == typed
    differs = not torch.equal(model(**inputs_of(model, pair)).logits, model(**inputs_of(model, single)).logits)
    assert differs == typed
