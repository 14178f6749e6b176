"""Linear layers in the formats of bitsandbytes: LLM.int8(), NF4 and FP4."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from constrictor.models.device import has_native_bf16

THRESHOLD = 6.0  # inputs beyond it are multiplied in 16 bits (LLM.int8(), section 3.2)
OUTPUTS, INPUTS = 32, 64  # the 4-bit kernels for CPUs work on tiles of this size
SHAPE_RULE = (
    f"4-bit kernels need outputs in multiples of {OUTPUTS} and inputs in multiples of {INPUTS} "
    "(structured pruning: 'multiple_of: 64')"
)


def library() -> ModuleType:
    """The package, imported when it is first needed and kept quiet."""
    # It remarks on the cast of its input in every call of every layer, and at its import on a download it can do without.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    import bitsandbytes

    return bitsandbytes


def has_four_bit_kernel(linear: nn.Linear) -> bool:
    """Whether the 4-bit kernels take the shape of a layer."""
    return not linear.out_features % OUTPUTS and not linear.in_features % INPUTS


def int8_layer(linear: nn.Linear) -> nn.Module:
    """A linear layer in LLM.int8()."""
    weight = library().nn.Int8Params(linear.weight.detach(), requires_grad=False, has_fp16_weights=False).to("cpu")
    return filled_int8_layer(weight.data, weight.SCB, linear.bias)


def filled_int8_layer(weight: Tensor, scales: Tensor, bias: Tensor | None) -> nn.Module:
    """A layer in LLM.int8() of int8 weights ``(outputs, inputs)``, their scales ``(outputs,)`` and a bias."""
    nn_ = library().nn
    layer = nn_.Linear8bitLt(
        weight.shape[1], weight.shape[0], bias is not None, has_fp16_weights=False, threshold=THRESHOLD, device="meta"
    )
    layer.weight = nn_.Int8Params(weight, requires_grad=False, has_fp16_weights=False, CB=weight, SCB=scales)
    return _with_bias(layer, bias)


def four_bit_layer(linear: nn.Linear, quant_type: str, double_quantization: bool) -> nn.Module:
    """A linear layer in NF4 or FP4."""
    layer = empty_four_bit_layer(linear.out_features, linear.in_features, linear.bias)
    layer.weight = (
        library()
        .nn.Params4bit(
            linear.weight.detach(),
            requires_grad=False,
            compress_statistics=double_quantization,
            quant_type=quant_type,
            module=layer,
        )
        .to("cpu")
    )
    return layer


def empty_four_bit_layer(outputs: int, inputs: int, bias: Tensor | None) -> Any:
    """A 4-bit layer with a bias and without weights."""
    compute = torch.bfloat16 if torch.cuda.is_available() and has_native_bf16() else torch.float32
    layer = library().nn.Linear4bit(inputs, outputs, bias is not None, compute_dtype=compute, device="meta")
    return _with_bias(layer, bias)


def _with_bias(layer: Any, bias: Tensor | None) -> Any:
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return layer
