"""Ranges of what goes into the linear layers of a model, from calibration examples."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from constrictor.compression.layer_inputs import watch_inputs
from constrictor.compression.quantization.ranges import RANGES, Observed, looks
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
    for look in looks(choose):
        watch_inputs(model, linears, sample, lambda name, x, look=look: look(seen[name], x.float().numpy()))  # type: ignore[misc]
    return {name: choose(observed) for name, observed in seen.items()}
