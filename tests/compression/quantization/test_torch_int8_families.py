"""Families whose tables are read in ways of their own: what int8 modules cannot stand for stays in float32."""

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BartConfig,
    DebertaV2Config,
    OPTConfig,
    RoFormerConfig,
)

from constrictor.compression.quantization.torch_int8 import NOT_CALLED, OWN_CLASS, quantize_dynamic
from constrictor.study.steps.quantize import Dynamic

SMALL = {"vocab_size": 50, "num_labels": 2, "pad_token_id": 0}
BERT_LIKE = {**SMALL, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24}
FAMILIES = {
    "deberta-v2": (
        DebertaV2Config(
            **BERT_LIKE, relative_attention=True, position_buckets=8, pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm",
            max_relative_positions=16,
        ),
        {"deberta.encoder.rel_embeddings": NOT_CALLED},
        20,
    ),
    "roformer": (
        RoFormerConfig(**BERT_LIKE, embedding_size=16),
        {"roformer.encoder.embed_positions": OWN_CLASS},
        16,
    ),
    "bart": (
        BartConfig(
            **SMALL, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=24, decoder_ffn_dim=24, eos_token_id=2, bos_token_id=1,
        ),
        {
            f"model.{name}": OWN_CLASS
            for name in (
                "shared", *(f"{half}.embed_{of}" for half in ("encoder", "decoder") for of in ("tokens", "positions"))
            )
        },
        18,
    ),
    "opt": (
        OPTConfig(
            **SMALL, hidden_size=16, num_hidden_layers=2, ffn_dim=24, num_attention_heads=2, word_embed_proj_dim=16
        ),
        {"model.decoder.embed_positions": OWN_CLASS},
        14,
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_quantized_model_computes_and_names_what_stayed(family):
    config, kept, quantized = FAMILIES[family]
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    for parameter in model.parameters():  # the usual start is so small that nothing matters
        torch.nn.init.normal_(parameter, std=0.2)
    ids = torch.randint(5, 40, (6, 11), generator=torch.Generator().manual_seed(0))
    ids[:, -1] = 2  # BART reads the end of the text
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        exact = model(**batch).logits
        assert quantize_dynamic(model, Dynamic(stage="quantize", method="dynamic"), batch) == kept
        assert (model(**batch).logits - exact).abs().max() < 0.2 * exact.std()
    assert sum(getattr(module, "weight", exact).dtype == torch.int8 for module in model.modules()) == quantized
