"""Int8 of a torch model, dynamic or static, saved as safetensors and opened again without any pickle."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.artifacts.manifest import EncoderShape
from constrictor.compression.quantization.calibrate import input_ranges
from constrictor.compression.quantization.int8_embedding import Int8Embedding
from constrictor.compression.quantization.int8_linear import Int8Linear
from constrictor.compression.quantization.modules import linears_of, named, replace, skeleton
from constrictor.compression.quantization.static_linear import StaticInt8Linear
from constrictor.compression.sample import Sample
from constrictor.study.steps.quantize import Dynamic, Static

# Not `model.safetensors`: transformers would open it and take the int8 numbers for the weights themselves.
WEIGHTS = "model-int8.safetensors"


def quantize_dynamic(model: PreTrainedModel, settings: Dynamic) -> None:
    """Quantize the linear layers and, if the settings say so, the embedding tables of a model, in place."""
    replace(model, linears_of(model), lambda name, linear: Int8Linear.from_linear(linear, settings.per_channel))
    if settings.embeddings:
        _quantize_tables(model)


def quantize_static(model: PreTrainedModel, settings: Static, sample: Sample) -> None:
    """As :func:`quantize_dynamic`, with the ranges of activations fixed on calibration examples.

    Raises:
        ConstrictorError: if the processor has no kernels for it.
    """
    linears = linears_of(model)
    ranges = input_ranges(model, linears, sample, settings.ranges)
    replace(
        model,
        linears,
        lambda name, linear: StaticInt8Linear.calibrated(linear, settings.per_channel, *ranges[name]),
    )
    if settings.embeddings:
        _quantize_tables(model)


def _quantize_tables(model: PreTrainedModel) -> None:
    replace(model, named(model, nn.Embedding), lambda name, table: Int8Embedding.from_embedding(table))


def load_int8(folder: Path, shape: EncoderShape | None = None) -> PreTrainedModel:
    """Open what was saved under :data:`WEIGHTS`. The file itself tells which modules are int8: those that have a scale.

    Args:
        folder: the artifact's folder.
        shape: the widths of its layers where they differ from the configuration's.
    """
    tensors = load_file(folder / WEIGHTS)
    model = skeleton(folder, shape)
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
