"""Layers and models in the formats of bitsandbytes: LLM.int8(), NF4 and FP4.

Layers are replaced in a model that is open already, so that it may have any shape. A model is written before its first
forward pass: on a CPU that pass packs 4-bit weights anew, and what is saved afterwards is damaged without an error.
"""

from __future__ import annotations

import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.errors import ConstrictorError
from constrictor.models.device import has_native_bf16
from constrictor.models.head import Head
from constrictor.models.manifest import EncoderShape
from constrictor.models.quantized.modules import linears_of, replace, skeleton

WEIGHTS = "model.safetensors"
THRESHOLD = 6.0  # inputs beyond it are multiplied in 16 bits (LLM.int8(), section 3.2)
OUTPUTS, INPUTS = 32, 64  # the 4-bit kernels for CPUs work on tiles of this size
SHAPE_RULE = (
    f"4-bit kernels need outputs in multiples of {OUTPUTS} and inputs in multiples of {INPUTS} "
    "(structured pruning: 'multiple_of: 64')"
)


def _library() -> ModuleType:
    # It remarks on the cast of its input in every call of every layer, and at its import on a download it can do without.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    import bitsandbytes

    return bitsandbytes


def quantize_base(model: PreTrainedModel, linears: dict[str, nn.Linear]) -> list[str]:
    """Replace layers of a frozen model by their NF4 form, in place, so that an adapter is trained upon it (QLoRA).

    Args:
        model: the model.
        linears: the layers; those whose shape has no kernel stay as they are.

    Returns:
        Names of the replaced layers.

    Raises:
        ConstrictorError: if no layer can be quantized.
    """
    legal = {
        name: linear
        for name, linear in linears.items()
        if not linear.out_features % OUTPUTS and not linear.in_features % INPUTS
    }
    if not legal:
        raise ConstrictorError(f"'base: nf4' fits no layer of this model: {SHAPE_RULE}. Use 'base: fp32'.")
    replace(model, legal, lambda name, linear: four_bit_layer(linear, "nf4", double_quantization=True))
    return list(legal)


def int8_layer(linear: nn.Linear) -> nn.Module:
    """A linear layer in LLM.int8()."""
    weight = _library().nn.Int8Params(linear.weight.detach(), requires_grad=False, has_fp16_weights=False).to("cpu")
    return _int8_layer(weight.data, weight.SCB, linear.bias)


def _int8_layer(weight: Tensor, scales: Tensor, bias: Tensor | None) -> nn.Module:
    nn_ = _library().nn
    layer = nn_.Linear8bitLt(
        weight.shape[1], weight.shape[0], bias is not None, has_fp16_weights=False, threshold=THRESHOLD, device="meta"
    )
    layer.weight = nn_.Int8Params(weight, requires_grad=False, has_fp16_weights=False, CB=weight, SCB=scales)
    return _with_bias(layer, bias)


def four_bit_layer(linear: nn.Linear, quant_type: str, double_quantization: bool) -> nn.Module:
    """A linear layer in NF4 or FP4."""
    layer = _4bit_layer(linear.out_features, linear.in_features, linear.bias)
    layer.weight = (
        _library()
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


def _4bit_layer(outputs: int, inputs: int, bias: Tensor | None) -> Any:
    compute = torch.bfloat16 if torch.cuda.is_available() and has_native_bf16() else torch.float32
    layer = _library().nn.Linear4bit(inputs, outputs, bias is not None, compute_dtype=compute, device="meta")
    return _with_bias(layer, bias)


def _with_bias(layer: Any, bias: Tensor | None) -> Any:
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return layer


def load_bnb(folder: Path, head: Head, shape: EncoderShape | None = None) -> PreTrainedModel:
    """Open what was saved under :data:`WEIGHTS`; on the GPU, if there is one. The file itself tells which layers are quantized.

    Args:
        folder: the artifact's folder.
        head: its head.
        shape: the widths of its layers where they differ from the configuration's.
    """
    tensors = load_file(folder / WEIGHTS)
    model = skeleton(folder, head, shape)
    replace(model, linears_of(model), lambda name, linear: _filled(linear, name, tensors))
    model.load_state_dict(tensors, strict=False, assign=True)
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def _filled(linear: nn.Linear, name: str, tensors: dict[str, Tensor]) -> nn.Module:
    """The layer in the place of an empty one. What goes into it is taken out of the tensors."""
    own = {key.removeprefix(f"{name}."): key for key in list(tensors) if key.startswith(f"{name}.")}
    weight, bias = tensors[own["weight"]], tensors.get(own.get("bias", ""))
    if weight.is_floating_point():
        return nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    taken = {key: tensors.pop(full) for key, full in own.items()}
    if "SCB" in taken:
        return _int8_layer(weight, taken["SCB"], bias)
    state = {key: tensor for key, tensor in taken.items() if key not in ("weight", "bias")}
    found = _library().nn.Params4bit.from_prequantized(weight, state, device="cpu")
    outputs, inputs = found.quant_state.shape
    layer = _4bit_layer(outputs, inputs, bias)
    layer.weight, layer.quant_state, found.module = found, found.quant_state, layer
    return layer
