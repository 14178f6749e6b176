"""Observe the inputs of a model's layers, batch by batch, so that no activations are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.compression.sample import Sample
from constrictor.models.model_inputs import inputs_of


@torch.inference_mode()
def watch_inputs(
    model: PreTrainedModel, layers: Mapping[str, nn.Module], sample: Sample, look: Callable[[str, Tensor], None]
) -> None:
    """Run a model over calibration examples and show what goes into its layers, without what stands on padding.

    Args:
        model: the model; it is left in evaluation mode.
        layers: the layers, by name.
        sample: the calibration examples.
        look: called batch by batch with a layer's name and its input ``(tokens, inputs)``; of a layer that does not see
            the tokens, such as the head, ``(examples, inputs)``.
    """
    model.eval()
    real = torch.empty(0, dtype=torch.bool)  # where the batch at hand has tokens, not padding

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def show(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0]
            look(name, x[real] if x.shape[:-1] == real.shape else x)

        return show

    handles = [module.register_forward_pre_hook(hook(name)) for name, module in layers.items()]
    try:
        for batch in sample.batches():
            real = batch["attention_mask"].bool()
            model(**inputs_of(model, batch))
    finally:
        for handle in handles:
            handle.remove()
