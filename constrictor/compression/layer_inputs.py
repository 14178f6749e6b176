"""Observe the layers of a model while it computes, batch by batch, so that no activations are kept."""

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


@torch.inference_mode()
def called_modules(model: PreTrainedModel, batch: Mapping[str, Tensor]) -> set[nn.Module]:
    """The modules that a model calls for a batch; of the others it may read the weights all the same.

    Args:
        model: the model; it is left in evaluation mode.
        batch: features in tokens.
    """
    model.eval()
    found = set[nn.Module]()
    handles = [module.register_forward_pre_hook(lambda module, inputs: found.add(module)) for module in model.modules()]
    try:
        model(**inputs_of(model, batch))
    finally:
        for handle in handles:
            handle.remove()
    return found
