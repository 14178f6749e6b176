"""NF4, the 4-bit type of QLoRA (Dettmers et al., 2023): the frozen base of an adapter, and the values of its weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from constrictor.errors import ConstrictorError
from constrictor.models.quantized.bitsandbytes_layers import SHAPE_RULE, four_bit_layer, has_four_bit_kernel, library


def nf4_layer(linear: nn.Linear) -> Any:
    """A linear layer in NF4 as an adapter is trained upon it: blocks of 64, and the scales quantized too."""
    return four_bit_layer(linear, "nf4", double_quantization=True)


def quantize_base(model: nn.Module, linears: dict[str, nn.Linear]) -> list[str]:
    """Replace layers of a frozen model by their NF4 form, in place, so that an adapter is trained upon it (QLoRA).

    Args:
        model: the model.
        linears: the layers; those whose shape has no kernel stay as they are.

    Returns:
        Names of the replaced layers.

    Raises:
        ConstrictorError: if no layer can be quantized.
    """
    legal = {name: linear for name, linear in linears.items() if has_four_bit_kernel(linear)}
    if not legal:
        raise ConstrictorError(f"'base: nf4' fits no layer of this model: {SHAPE_RULE}. Use 'base: fp32'.")
    for name, linear in legal.items():
        model.set_submodule(name, nf4_layer(linear))
    return list(legal)


@torch.no_grad()
def round_to_nf4(model: nn.Module, names: Iterable[str]) -> None:
    """Give layers the weights that their NF4 form stands for, in place."""
    for name in names:
        linear: Any = model.get_submodule(name)
        rounded = nf4_layer(linear).weight
        linear.weight.copy_(library().functional.dequantize_4bit(rounded.data, rounded.quant_state))
