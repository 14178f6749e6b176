"""Int8 of a torch model, dynamic or static, saved as safetensors and opened again without any pickle.

Only a plain linear layer or embedding table that the model calls is replaced. A class of its own may compute something else
(positions with an offset in OPT and BART, sines in RoFormer), and where the model reads the weights itself (the relative
positions of DeBERTa), it would meet whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.compression.layer_inputs import called_modules
from constrictor.compression.quantization.calibrate import input_ranges
from constrictor.compression.sample import Sample
from constrictor.models.quantized.int8_embedding import Int8Embedding
from constrictor.models.quantized.int8_linear import Int8Linear
from constrictor.models.quantized.modules import Kind, linears_of, named, replace
from constrictor.models.quantized.static_linear import StaticInt8Linear
from constrictor.study.steps.quantize import Dynamic, Static

NOT_CALLED = "the model reads its weights itself"
OWN_CLASS = "it computes in a way of its own"


def quantize_dynamic(model: PreTrainedModel, settings: Dynamic, batch: Mapping[str, Tensor]) -> dict[str, str]:
    """Quantize the linear layers and, if the settings include them, the embedding tables of a model, in place.

    Args:
        model: the model.
        settings: the step.
        batch: features in tokens, which show what the model calls.

    Returns:
        Names of the layers and tables that stay in float32, with the reason.
    """
    linears, kept = _replaceable(model, linears_of(model), nn.Linear, batch)
    if settings.embeddings:
        kept |= _quantize_tables(model, batch)
    replace(model, linears, lambda name, linear: Int8Linear.from_linear(linear, settings.per_channel))
    return kept


def quantize_static(model: PreTrainedModel, settings: Static, sample: Sample) -> dict[str, str]:
    """As :func:`quantize_dynamic`, with the ranges of activations fixed on calibration examples.

    Raises:
        ConstrictorError: if the processor has no kernels for it.
    """
    batch = sample.batches()[0]
    linears, kept = _replaceable(model, linears_of(model), nn.Linear, batch)
    ranges = input_ranges(model, linears, sample, settings.ranges)
    if settings.embeddings:
        kept |= _quantize_tables(model, batch)
    replace(
        model,
        linears,
        lambda name, linear: StaticInt8Linear.calibrated(linear, settings.per_channel, *ranges[name]),
    )
    return kept


def _quantize_tables(model: PreTrainedModel, batch: Mapping[str, Tensor]) -> dict[str, str]:
    tables, kept = _replaceable(model, named(model, nn.Embedding), nn.Embedding, batch)
    replace(model, tables, lambda name, table: Int8Embedding.from_embedding(table))
    return kept


def _replaceable(
    model: PreTrainedModel, modules: dict[str, Kind], kind: type[Kind], batch: Mapping[str, Tensor]
) -> tuple[dict[str, Kind], dict[str, str]]:
    """The modules whose quantized version computes what they compute; and why the others stay."""
    called = called_modules(model, batch)
    kept = {name: OWN_CLASS for name, module in modules.items() if type(module) is not kind}
    kept |= {name: NOT_CALLED for name, module in modules.items() if name not in kept and module not in called}
    return {name: module for name, module in modules.items() if name not in kept}, kept
