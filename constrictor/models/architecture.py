"""Where the parts and the layers of each known architecture are."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from constrictor.errors import ConstrictorError
from constrictor.study.layers import no_such_layer

Matrix = nn.Linear | Conv1D
"""A linear layer, or GPT-2's kind, which stores its weights as ``(inputs, outputs)``."""


@dataclass(frozen=True)
class Family:
    """Paths of an architecture's parts: the list of layers below the base model, the rest below a layer."""

    layers: str
    query: str
    key: str
    value: str
    attention_output: str
    ffn_in: str
    ffn_out: str
    ffn_width: str = "intermediate_size"  # the configuration's name for it
    layer_count: str = "num_hidden_layers"
    heads_stay: str = ""  # why heads cannot be pruned, where they cannot
    layers_stay: str = ""  # why layers cannot be dropped, where they cannot


_BERT = Family(
    layers="encoder.layer",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    attention_output="attention.output.dense",
    ffn_in="intermediate.dense",
    ffn_out="output.dense",
)

FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), _BERT),
    "distilbert": Family(
        layers="transformer.layer",
        query="attention.q_lin",
        key="attention.k_lin",
        value="attention.v_lin",
        attention_output="attention.out_lin",
        ffn_in="ffn.lin1",
        ffn_out="ffn.lin2",
        ffn_width="hidden_dim",
        layer_count="n_layers",
    ),
    "mpnet": Family(
        layers="encoder.layer",
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        attention_output="attention.attn.o",
        ffn_in="intermediate.dense",
        ffn_out="output.dense",
        heads_stay="all its layers share one table of relative positions with one column per head",
    ),
    "albert": Family(
        layers="encoder.albert_layer_groups.0.albert_layers",
        query="attention.query",
        key="attention.key",
        value="attention.value",
        attention_output="attention.dense",
        ffn_in="ffn",
        ffn_out="ffn_output",
        layers_stay="its layers share one set of weights, so dropping some would save time and no weight",
    ),
    "gpt2": Family(
        layers="h",
        query="",
        key="",
        value="",
        attention_output="attn.c_proj",
        ffn_in="mlp.c_fc",
        ffn_out="mlp.c_proj",
        ffn_width="n_inner",
        layer_count="n_layer",
        heads_stay="it keeps query, key and value in one matrix; its feed-forward part can be pruned",
    ),
}


def family_of(model: PreTrainedModel) -> Family:
    """The architecture of a model.

    Raises:
        ConstrictorError: if it is not one of those known.
    """
    kind = model.config.model_type
    if kind not in FAMILIES:
        raise ConstrictorError(f"the layers of '{kind}' are not known. Known: {', '.join(sorted(FAMILIES))}.")
    return FAMILIES[kind]


def encoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The list of layers of a model.

    Raises:
        ConstrictorError: if the architecture is not one of those known.
    """
    layers = model.base_model.get_submodule(family_of(model).layers)
    assert isinstance(layers, nn.ModuleList)
    return layers


def keep_layers(model: PreTrainedModel, layers: list[int]) -> None:
    """Reduce a model to some of its layers, in place; the rest of the model stays.

    Args:
        model: the model.
        layers: the layers to keep, counted from 0.

    Raises:
        ConstrictorError: if a layer does not exist, or the architecture has no layers of its own to drop.
    """
    family, every = family_of(model), encoder_layers(model)
    if family.layers_stay:
        raise ConstrictorError(
            f"layers of '{model.config.model_type}' cannot be dropped: {family.layers_stay}. Keep all."
        )
    if max(layers) >= len(every):
        raise ConstrictorError(no_such_layer("the model", max(layers), len(every)))
    kept = [every[index] for index in layers]
    del every[:]
    every.extend(kept)
    setattr(model.config, family.layer_count, len(kept))


def encoder_matrices(model: PreTrainedModel) -> dict[str, Matrix]:
    """The matrices inside the encoder's layers, by their full names: what masking works on."""
    inside = {id(module) for layer in encoder_layers(model) for module in layer.modules()}
    return {
        name: module for name, module in model.named_modules() if isinstance(module, Matrix) and id(module) in inside
    }


def encoder_linears(model: PreTrainedModel) -> dict[str, nn.Linear]:
    """The linear layers among :func:`encoder_matrices`."""
    return {name: module for name, module in encoder_matrices(model).items() if isinstance(module, nn.Linear)}
