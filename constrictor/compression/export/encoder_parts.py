"""Find the matrices of a first-token classifier, whatever its family calls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.errors import ConstrictorError
from constrictor.models.architecture import Matrix, encoder_layers
from constrictor.models.widths import block_of


class LayerParts(NamedTuple):
    """One layer: attention, then feed-forward, each followed by its residual and norm."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attention_output: nn.Linear
    attention_norm: nn.LayerNorm
    up: nn.Linear
    activation: Callable[[Tensor], Tensor]
    down: nn.Linear
    output_norm: nn.LayerNorm


@dataclass(frozen=True)
class EncoderParts:
    """A classifier, taken apart.

    Attributes:
        embeddings: its embeddings: `word_embeddings`, `position_embeddings`, `LayerNorm`, perhaps `token_type_embeddings`.
        projection: from the width of the embeddings to that of the layers; ELECTRA may have one.
        layers: its layers.
        head: maps hidden states ``(batch, tokens, width)`` to logits ``(batch, classes)`` and reads the first token only.
        head_size: width of an attention head; their number follows from the width of a layer's query matrix, since a pruned
            model has layers with different numbers of heads.
        padding: id of the padding token where positions are counted from behind it (RoBERTa), else None.
    """

    embeddings: Any
    projection: nn.Module | None
    layers: list[LayerParts]
    head: Callable[[Tensor], Tensor]
    head_size: int
    padding: int | None


def take_apart(model: PreTrainedModel) -> EncoderParts:
    """The parts of a classifier.

    Raises:
        ConstrictorError: if the structure of its family is not known here.
    """
    config, base = model.config, model.base_model
    if config.model_type not in _HEADS:
        known = ", ".join(sorted(_HEADS))
        raise ConstrictorError(f"the structure of '{config.model_type}' is not known (known: {known})")
    if getattr(config, "is_decoder", False):
        raise ConstrictorError(f"this '{config.model_type}' is set up as a decoder")
    return EncoderParts(
        embeddings=base.embeddings,
        projection=getattr(base, "embeddings_project", None),
        layers=[_layer_parts(model, layer) for layer in encoder_layers(model)],
        head=_HEADS[config.model_type](model),
        head_size=config.hidden_size // config.num_attention_heads,
        padding=config.pad_token_id if config.model_type in _COUNTS_FROM_PADDING else None,
    )


def _layer_parts(model: PreTrainedModel, layer: Any) -> LayerParts:
    block = block_of(model, layer)
    query, key, value = (_linear(matrix) for matrix in block.into_heads)
    if model.config.model_type == "distilbert":
        norms, activation = (layer.sa_layer_norm, layer.output_layer_norm), layer.ffn.activation
    else:
        norms = (layer.attention.output.LayerNorm, layer.output.LayerNorm)
        activation = layer.intermediate.intermediate_act_fn
    return LayerParts(
        query=query,
        key=key,
        value=value,
        attention_output=_linear(block.attention_output),
        attention_norm=norms[0],
        up=_linear(block.ffn_in),
        activation=activation,
        down=_linear(block.ffn_out),
        output_norm=norms[1],
    )


def _linear(matrix: Matrix) -> nn.Linear:
    assert isinstance(matrix, nn.Linear), "only GPT-2 has its matrices the other way round, and it has no head here"
    return matrix


def _pooled_head(model: Any) -> Callable[[Tensor], Tensor]:
    return lambda hidden: model.classifier(model.base_model.pooler(hidden))


def _two_layer_head(model: Any) -> Callable[[Tensor], Tensor]:
    return model.classifier


def _distilbert_head(model: Any) -> Callable[[Tensor], Tensor]:
    return lambda hidden: model.classifier(torch.relu(model.pre_classifier(hidden[:, 0])))


_HEADS: dict[str, Callable[[Any], Callable[[Tensor], Tensor]]] = {
    "bert": _pooled_head,
    "distilbert": _distilbert_head,
    "electra": _two_layer_head,
    "roberta": _two_layer_head,
    "xlm-roberta": _two_layer_head,
}
_COUNTS_FROM_PADDING = ("roberta", "xlm-roberta")
