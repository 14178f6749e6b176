"""The same classifier with less to compute: exact rewrites of an encoder whose head reads the first token only.

In the last layer only the first token's query, attention output and feed-forward are computed: nothing reads the others.
Query, key and value can be one matrix product. Three rewrites cost nothing at run time: the scale 1/sqrt(d) goes into the
query matrix (Vaswani et al., 2017, section 3.2.1), the row of the only token type of single texts into the position table,
and positions beyond the task's longest input are dropped.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.compression.export.encoder_parts import EncoderParts, LayerParts, take_apart
from constrictor.models.head import Head


class LeanClassifier(nn.Module):
    """A classifier, rewritten. It maps ids, mask and perhaps token types ``(batch, length)`` to logits ``(batch, classes)``."""

    def __init__(
        self,
        model: PreTrainedModel,
        head: Head,
        max_length: int,
        *,
        first_token: bool = True,
        merged: bool = False,
        typed: bool = False,
    ) -> None:
        """Build it from a loaded classifier, whose modules it shares.

        Args:
            model: a float32 classifier.
            head: its head.
            max_length: longest input in tokens.
            first_token: compute the last layer for the first token only.
            merged: query, key and value as one matrix product.
            typed: read token types; otherwise all tokens are of the first one.

        Raises:
            ConstrictorError: if the structure of the model's family is not known.
        """
        super().__init__()
        parts = take_apart(model)
        self.model = model  # owns what is shared
        self.outputs = head.outputs
        self.embeddings = _Embeddings(parts, max_length, typed)
        self.layers = nn.ModuleList(
            _Layer(layer, parts.head_size, merged, first_token and layer is parts.layers[-1]) for layer in parts.layers
        )
        self.head = parts.head

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Logits of a batch."""
        hidden = self.embeddings(input_ids, token_type_ids)
        # Added to the scores, so that no weight falls on padding.
        bias = (1.0 - attention_mask[:, None, None, :].to(hidden.dtype)) * torch.finfo(hidden.dtype).min
        for layer in self.layers:
            hidden = layer(hidden, bias)
        return self.head(hidden)


class _Embeddings(nn.Module):
    positions: Tensor

    def __init__(self, parts: EncoderParts, max_length: int, typed: bool) -> None:
        super().__init__()
        self.words = parts.embeddings.word_embeddings
        self.types = parts.embeddings.token_type_embeddings if typed else None
        self.norm = parts.embeddings.LayerNorm
        self.projection = parts.projection or nn.Identity()
        self.padding = parts.padding
        self.register_buffer("positions", position_table(parts, max_length, typed=typed))

    def forward(self, ids: Tensor, types: Tensor | None) -> Tensor:
        if self.padding is None:
            positions = self.positions[: ids.shape[1]]
        else:
            # Row 0 is that of padding; the others are counted over what is no padding.
            real = (ids != self.padding).long()
            positions = nn.functional.embedding(real.cumsum(1) * real, self.positions)
        embedded = self.words(ids) + positions
        return self.projection(self.norm(embedded if self.types is None else embedded + self.types(types)))


def position_table(parts: EncoderParts, max_length: int, *, typed: bool = False) -> Tensor:
    """The rows of the position table that can be met, each with the row of token type 0 added unless types are read.

    Returns:
        ``(max_length, width)``; with a row for padding in front where positions are counted from behind it.
    """
    first = parts.padding or 0
    rows = max_length + (parts.padding is not None)
    positions = parts.embeddings.position_embeddings.weight[first : first + rows]
    types = getattr(parts.embeddings, "token_type_embeddings", None)
    return (positions if typed or types is None else positions + types.weight[0]).detach().clone()


def scale_query(query: nn.Linear, head_size: int) -> nn.Linear:
    """The query matrix and bias times 1/sqrt(head size), so that the scores need no scaling."""
    return _linear(query.weight * head_size**-0.5, query.bias * head_size**-0.5)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    linear.weight, linear.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
    return linear


def _merge(linears: list[nn.Linear]) -> nn.Linear:
    """One matrix that computes what several do, outputs one behind the other."""
    return _linear(torch.cat([part.weight for part in linears]), torch.cat([part.bias for part in linears]))


class _Layer(nn.Module):
    def __init__(self, parts: LayerParts, head_size: int, merged: bool, first_token: bool) -> None:
        super().__init__()
        self.head_size, self.first_token = head_size, first_token
        query = scale_query(parts.query, head_size)
        # The first token's query reads another input than keys and values do, so it stays a matrix of its own.
        inner = [parts.key, parts.value] if first_token else [query, parts.key, parts.value]
        self.query = query if first_token else None
        self.projections = nn.ModuleList([_merge(inner)] if merged else inner)
        self.attention_output, self.attention_norm = parts.attention_output, parts.attention_norm
        self.up, self.activation, self.down, self.output_norm = (
            parts.up,
            parts.activation,
            parts.down,
            parts.output_norm,
        )

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        projected = [linear(hidden) for linear in self.projections]
        if len(projected) == 1:
            projected = list(projected[0].chunk(2 if self.query is not None else 3, dim=-1))
        if self.query is not None:
            hidden = hidden[:, :1]
            projected.insert(0, self.query(hidden))
        query, key, value = (
            part.unflatten(-1, (part.shape[-1] // self.head_size, self.head_size)).transpose(1, 2) for part in projected
        )
        weights = (query @ key.transpose(2, 3) + bias).softmax(-1)
        attended = self.attention_output((weights @ value).transpose(1, 2).flatten(2))
        hidden = self.attention_norm(attended + hidden)
        return self.output_norm(self.down(self.activation(self.up(hidden))) + hidden)
