"""Look at what goes into the linear layers of a model on calibration examples, without what stands on padding."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.artifacts.model_inputs import inputs_of
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
        _watch(model, linears, sample, lambda name, x, look=look: look(seen[name], x.float().numpy()))  # type: ignore[misc]
    return {name: choose(observed) for name, observed in seen.items()}


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
            model(**inputs_of(model, batch))
    finally:
        for handle in handles:
            handle.remove()
