"""An embedding table in int8: each row has a scale of its own, and only the rows that are looked up are dequantized."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from constrictor.models.quantized.rounding import round_symmetric


class Int8Embedding(nn.Module):
    """``y = scale[ids] * weight[ids]``; its state is plain tensors, so safetensors can hold it."""

    weight: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor, scale: Tensor, padding_idx: int | None = None) -> None:
        """Hold int8 rows ``(entries, width)``, their scales ``(entries,)`` and the entry that means padding."""
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.padding_idx = padding_idx

    @classmethod
    def from_embedding(cls, embedding: nn.Embedding) -> Int8Embedding:
        """Quantize an embedding table; a row of zeros, such as that of padding, stays zero."""
        weight, scale = round_symmetric(torch, embedding.weight.detach().float(), axis=1, largest=127)
        return cls(weight, scale.ravel(), embedding.padding_idx)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids ``(...)`` to float32 vectors ``(..., width)``."""
        rows = nn.functional.embedding(ids, self.weight)
        return rows.to(torch.float32).mul_(self.scale[ids].unsqueeze(-1))
