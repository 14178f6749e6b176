"""Models in the formats of bitsandbytes: LLM.int8(), NF4 and FP4.

Layers are replaced in a model that is open already, so that it may have any shape. A model is written before its first
forward pass: on a CPU that pass packs 4-bit weights anew, and what is saved afterwards is damaged without an error.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.models.head import Head
from constrictor.models.manifest import EncoderShape
from constrictor.models.quantized.bitsandbytes_layers import empty_four_bit_layer, filled_int8_layer, library
from constrictor.models.quantized.modules import linears_of, replace, skeleton

WEIGHTS = "model.safetensors"


def load_bnb(folder: Path, head: Head, shape: EncoderShape | None = None) -> PreTrainedModel:
    """Open what was saved under :data:`WEIGHTS`; on the GPU, if there is one. The file itself shows which layers are quantized.

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
        return filled_int8_layer(weight, taken["SCB"], bias)
    state = {key: tensor for key, tensor in taken.items() if key not in ("weight", "bias")}
    found = library().nn.Params4bit.from_prequantized(weight, state, device="cpu")
    outputs, inputs = found.quant_state.shape
    layer = empty_four_bit_layer(outputs, inputs, bias)
    layer.weight, layer.quant_state, found.module = found, found.quant_state, layer
    return layer
