"""Int8 of a torch model, dynamic or static, saved as safetensors and opened again without any pickle."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from constrictor.compression.quantization.calibrate import input_ranges
from constrictor.compression.sample import Sample
from constrictor.models.quantized.int8_embedding import Int8Embedding
from constrictor.models.quantized.int8_linear import Int8Linear
from constrictor.models.quantized.modules import linears_of, named, replace
from constrictor.models.quantized.static_linear import StaticInt8Linear
from constrictor.study.steps.quantize import Dynamic, Static


def quantize_dynamic(model: PreTrainedModel, settings: Dynamic) -> None:
    """Quantize the linear layers and, if the settings include them, the embedding tables of a model, in place."""
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
