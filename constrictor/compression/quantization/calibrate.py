"""Ranges of what goes into the linear layers of a model, from calibration examples."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from constrictor.compression.layer_inputs import watch_inputs
from constrictor.compression.quantization.ranges import RANGES, Observed, passes
from constrictor.compression.sample import Sample


def input_ranges(
    model: PreTrainedModel, linears: dict[str, nn.Linear], sample: Sample, ranges: str
) -> dict[str, tuple[float, float]]:
    """The range of each linear layer's input, from two passes over the examples that keep nothing but histograms.

    Args:
        model: the float32 model.
        linears: the layers, by name.
        sample: the calibration examples.
        ranges: a key of :data:`~constrictor.compression.quantization.ranges.RANGES`.
    """
    seen = {name: Observed() for name in linears}
    choose = RANGES[ranges]
    for observe in passes(choose):
        watch_inputs(model, linears, sample, lambda name, x, observe=observe: observe(seen[name], x.float().numpy()))  # type: ignore[misc]
    return {name: choose(observed) for name, observed in seen.items()}
