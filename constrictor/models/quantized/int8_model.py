"""Open a torch model with int8 modules from its safetensors file."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.models.head import Head
from constrictor.models.manifest import EncoderShape
from constrictor.models.quantized.int8_embedding import Int8Embedding
from constrictor.models.quantized.int8_linear import Int8Linear
from constrictor.models.quantized.modules import replace, skeleton
from constrictor.models.quantized.static_linear import StaticInt8Linear

# Not `model.safetensors`: transformers would open it and take the int8 numbers for the weights themselves.
WEIGHTS = "model-int8.safetensors"


def load_int8(folder: Path, head: Head, shape: EncoderShape | None = None) -> PreTrainedModel:
    """Open what was saved under :data:`WEIGHTS`. The file itself shows which modules are int8: those that have a scale.

    Args:
        folder: the artifact's folder.
        head: its head.
        shape: the widths of its layers where they differ from the configuration's.
    """
    tensors = load_file(folder / WEIGHTS)
    model = skeleton(folder, head, shape)
    quantized = {name: module for name, module in model.named_modules() if f"{name}.scale" in tensors}
    replace(model, quantized, lambda name, module: _filled(module, name, tensors))
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def _filled(module: nn.Module, name: str, tensors: dict[str, Tensor]) -> nn.Module:
    """The quantized module in the place of an empty one; its shape is that of the stored tensors."""
    weight, scale = tensors[f"{name}.weight"], tensors[f"{name}.scale"]
    if isinstance(module, nn.Embedding):
        return Int8Embedding(weight, scale, module.padding_idx)
    bias, limits = tensors.get(f"{name}.bias"), tensors.get(f"{name}.limits")
    return Int8Linear(weight, scale, bias) if limits is None else StaticInt8Linear(weight, scale, bias, limits)
