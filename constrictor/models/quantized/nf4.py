"""NF4, the 4-bit type of QLoRA (Dettmers et al., 2023): the values that weights are rounded to."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def round_to_nf4(model: nn.Module, names: Iterable[str]) -> None:
    """Give layers the weights that their NF4 form stands for, in place (blocks of 64, scales quantized too)."""
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    for name in names:
        weight = model.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        packed, state = quantize_4bit(weight.data, quant_type="nf4", compress_statistics=True)
        weight.copy_(dequantize_4bit(packed, state))
