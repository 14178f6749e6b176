"""Look at what goes into the linear layers of a model on calibration examples, without what stands on padding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.compression.pruning.method import Sample
from constrictor.compression.quantization.ranges import RANGES, Range

BINS = 2048


def input_ranges(
    model: PreTrainedModel, linears: dict[str, nn.Linear], sample: Sample, ranges: str
) -> dict[str, Range]:
    """The range of each linear layer's input, from two passes over the examples that keep nothing but histograms.

    Args:
        model: the float32 model.
        linears: the layers, by name.
        sample: the calibration examples.
        ranges: a key of :data:`~constrictor.compression.quantization.ranges.RANGES`.
    """
    limits = {name: (np.inf, -np.inf) for name in linears}

    def widen(name: str, x: Tensor) -> None:
        low, high = limits[name]
        limits[name] = min(low, float(x.min())), max(high, float(x.max()))

    _watch(model, linears, sample, widen)
    if ranges == "minmax":
        return limits
    counts = {name: np.zeros(BINS, dtype=np.int64) for name in linears}

    def count(name: str, x: Tensor) -> None:
        low, high = limits[name]
        counts[name] += torch.histc(x.float(), BINS, low, high).long().numpy()

    _watch(model, linears, sample, count)
    return {name: RANGES[ranges](counts[name], np.linspace(*limits[name], BINS + 1)) for name in linears}


@torch.inference_mode()
def _watch(
    model: PreTrainedModel, linears: dict[str, nn.Linear], sample: Sample, look: Callable[[str, Tensor], None]
) -> None:
    """Run the model over the examples and show each layer's input, padding left out."""
    model.eval()
    real = torch.empty(0, dtype=torch.bool)  # where the batch at hand has tokens, not padding

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def show(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0]
            look(name, x[real] if x.shape[:-1] == real.shape else x)

        return show

    handles = [module.register_forward_pre_hook(hook(name)) for name, module in linears.items()]
    try:
        for batch in sample.batches():
            real = batch["attention_mask"].bool()
            model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    finally:
        for handle in handles:
            handle.remove()
