"""The widths of a model's layers: its heads and feed-forward neurons, and how matrices are made smaller by them.

Attention in transformers reads the number of heads from the width of its matrices, so a layer whose query, key, value
and output matrices are pruned by whole heads works as it is; the feed-forward part has only two widths to agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from constrictor.errors import ConstrictorError
from constrictor.models.architecture import FAMILIES, Matrix, encoder_layers, family_of
from constrictor.models.manifest import EncoderShape

_REBUILD = "Delete the model's folder and run snakemake again."


@dataclass(frozen=True)
class Block:
    """One layer's matrices by their part in it.

    Attributes:
        into_heads: query, key and value: their outputs belong to heads. Empty where heads cannot be pruned.
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
        return input_width(self.attention_output) // self.head_size

    @property
    def neurons(self) -> int:
        """Number of feed-forward neurons."""
        return input_width(self.ffn_out)


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


def by_output(matrix: Matrix) -> Tensor:
    """A view of a matrix's weights as ``(outputs, inputs)``, whichever way they are stored."""
    return matrix.weight.t() if isinstance(matrix, Conv1D) else matrix.weight


def input_width(matrix: Matrix) -> int:
    """Number of inputs of a linear layer or of GPT-2's transposed kind."""
    return int(by_output(matrix).shape[1])


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
    """Reduce a layer to some of its heads, in place; they are numbered from 0 and keep their order."""
    width = torch.arange(block.heads * block.head_size).view(block.heads, block.head_size)[heads].flatten()
    for matrix in block.into_heads:
        select_outputs(matrix, width)
    select_inputs(block.attention_output, width)


def keep_neurons(block: Block, neurons: Tensor) -> None:
    """Reduce a layer's feed-forward part to some of its neurons, in place."""
    select_outputs(block.ffn_in, neurons)
    select_inputs(block.ffn_out, neurons)


def note_shape(model: PreTrainedModel) -> EncoderShape | None:
    """The widths of a model's layers where its configuration cannot express them; None where it can.

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
    """Reduce a freshly made model to these widths, in place; its weights are then to be loaded.

    Raises:
        ConstrictorError: if the shape is not one of this model's.
    """
    blocks = blocks_of(model)
    if len(shape.heads) != len(blocks) or len(shape.ffn) != len(blocks):
        raise ConstrictorError(
            f"the manifest lists {len(shape.ffn)} layers and the model has {len(blocks)}. {_REBUILD}"
        )
    for block, heads, neurons in zip(blocks, shape.heads, shape.ffn, strict=True):
        if not (0 < heads <= block.heads and 0 < neurons <= block.neurons):
            raise ConstrictorError(
                f"the manifest lists a layer with {heads} heads and {neurons} neurons, and the configuration has at "
                f"most {block.heads} and {block.neurons}. {_REBUILD}"
            )
        if heads < block.heads:
            keep_heads(block, torch.arange(heads))
        keep_neurons(block, torch.arange(neurons))
