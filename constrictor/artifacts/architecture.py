"""Where the parts of each known architecture are, and how its matrices are made smaller.

Attention in transformers reads the number of heads from the width of its matrices, so a layer whose query, key, value
and output matrices are cut by whole heads works as it is; the feed-forward part has only two widths to agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from constrictor.artifacts.manifest import EncoderShape
from constrictor.errors import ConstrictorError

Matrix = nn.Linear | Conv1D


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
    heads_stay: str = ""  # why heads cannot be cut, where they cannot
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
        heads_stay="all its layers share one table of relative positions with a column a head",
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
        heads_stay="it keeps query, key and value in one matrix; its feed-forward part can be cut",
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
    """Cut a model down to some of its layers, in place; the rest of the model stays.

    Args:
        model: the model.
        layers: the layers to keep, counted from 0.

    Raises:
        ConstrictorError: if a layer does not exist, or the architecture has no layers of its own to drop.
    """
    family, every = family_of(model), encoder_layers(model)
    if family.layers_stay:
        raise ConstrictorError(f"layers of '{model.config.model_type}' cannot be dropped: {family.layers_stay}.")
    if max(layers) >= len(every):
        raise ConstrictorError(
            f"the model has no layer {max(layers)}: it has {len(every)} layers, counted 0 to {len(every) - 1}."
        )
    kept = [every[index] for index in layers]
    del every[:]
    every.extend(kept)
    setattr(model.config, family.layer_count, len(kept))


def encoder_linears(model: PreTrainedModel) -> dict[str, nn.Linear]:
    """The linear layers inside the encoder's layers, by their full names: what masking works on."""
    inside = {id(module) for layer in encoder_layers(model) for module in layer.modules()}
    return {
        name: module for name, module in model.named_modules() if isinstance(module, nn.Linear) and id(module) in inside
    }


@dataclass(frozen=True)
class Block:
    """One layer's matrices by their part in it.

    Attributes:
        into_heads: query, key and value: their outputs belong to heads. Empty where heads cannot be cut.
        attention_output: its inputs belong to heads.
        ffn_in: its outputs are the feed-forward neurons.
        ffn_out: its inputs are the feed-forward neurons.
        head_size: width of a head.
    """

    into_heads: list[Matrix]
    attention_output: Matrix
    ffn_in: Matrix
    ffn_out: Matrix
    head_size: int

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return inputs_of(self.attention_output) // self.head_size

    @property
    def neurons(self) -> int:
        """Number of feed-forward neurons."""
        return inputs_of(self.ffn_out)


def blocks_of(model: PreTrainedModel) -> list[Block]:
    """The matrices of each layer.

    Raises:
        ConstrictorError: if the architecture is not one of those known.
    """
    return [block_of(model, layer) for layer in encoder_layers(model)]


def block_of(model: PreTrainedModel, layer: nn.Module) -> Block:
    """The matrices of one of a model's layers, or of a copy of one."""
    family = family_of(model)
    into_heads = [] if family.heads_stay else [family.query, family.key, family.value]
    return Block(
        [layer.get_submodule(path) for path in into_heads],  # type: ignore[misc]
        layer.get_submodule(family.attention_output),  # type: ignore[arg-type]
        layer.get_submodule(family.ffn_in),  # type: ignore[arg-type]
        layer.get_submodule(family.ffn_out),  # type: ignore[arg-type]
        head_size=model.config.hidden_size // model.config.num_attention_heads,
    )


def inputs_of(matrix: Matrix) -> int:
    """Number of inputs of a linear layer or of GPT-2's transposed kind."""
    return int(matrix.weight.shape[0 if isinstance(matrix, Conv1D) else 1])


def select_outputs(matrix: Matrix, rows: Tensor) -> None:
    """Keep some outputs of a matrix, in place."""
    matrix.weight = nn.Parameter(matrix.weight.detach().index_select(1 if isinstance(matrix, Conv1D) else 0, rows))
    if matrix.bias is not None:
        matrix.bias = nn.Parameter(matrix.bias.detach()[rows])
    _note_widths(matrix)


def select_inputs(matrix: Matrix, columns: Tensor) -> None:
    """Keep some inputs of a matrix, in place."""
    matrix.weight = nn.Parameter(matrix.weight.detach().index_select(0 if isinstance(matrix, Conv1D) else 1, columns))
    _note_widths(matrix)


def _note_widths(matrix: Matrix) -> None:
    if isinstance(matrix, Conv1D):
        matrix.nx, matrix.nf = matrix.weight.shape
    else:
        matrix.out_features, matrix.in_features = matrix.weight.shape


def keep_heads(block: Block, heads: Tensor) -> None:
    """Cut a layer down to some of its heads, in place; they are numbered from 0 and keep their order."""
    width = torch.arange(block.heads * block.head_size).view(block.heads, block.head_size)[heads].flatten()
    for matrix in block.into_heads:
        select_outputs(matrix, width)
    select_inputs(block.attention_output, width)


def keep_neurons(block: Block, neurons: Tensor) -> None:
    """Cut a layer's feed-forward part down to some of its neurons, in place."""
    select_outputs(block.ffn_in, neurons)
    select_inputs(block.ffn_out, neurons)


def note_shape(model: PreTrainedModel) -> EncoderShape | None:
    """The widths of a model's layers where its configuration cannot say them; None where it can.

    A feed-forward width that all layers share goes into the configuration, so that transformers opens the model by
    itself.
    """
    if model.config.model_type not in FAMILIES:
        return None
    blocks = blocks_of(model)
    shape = EncoderShape(heads=[block.heads for block in blocks], ffn=[block.neurons for block in blocks])
    if len(set(shape.ffn)) == 1:
        setattr(model.config, family_of(model).ffn_width, shape.ffn[0])
    return None if shape == _configured_shape(model) else shape


def _configured_shape(model: PreTrainedModel) -> EncoderShape:
    width = getattr(model.config, family_of(model).ffn_width, None) or 4 * model.config.hidden_size
    layers = len(encoder_layers(model))
    return EncoderShape(heads=[model.config.num_attention_heads] * layers, ffn=[width] * layers)


def take_shape(model: PreTrainedModel, shape: EncoderShape) -> None:
    """Cut a freshly made model to these widths, in place; its weights are then to be loaded.

    Raises:
        ConstrictorError: if the shape is not one of this model's.
    """
    blocks = blocks_of(model)
    if len(shape.heads) != len(blocks) or len(shape.ffn) != len(blocks):
        raise ConstrictorError(f"the manifest tells of {len(shape.ffn)} layers and the model has {len(blocks)}.")
    for block, heads, neurons in zip(blocks, shape.heads, shape.ffn, strict=True):
        if not (0 < heads <= block.heads and 0 < neurons <= block.neurons):
            raise ConstrictorError(
                f"the manifest tells of a layer with {heads} heads and {neurons} neurons, and the configuration has at "
                f"most {block.heads} and {block.neurons}."
            )
        if heads < block.heads:
            keep_heads(block, torch.arange(heads))
        keep_neurons(block, torch.arange(neurons))
