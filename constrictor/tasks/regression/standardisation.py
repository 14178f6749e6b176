"""Train a head on standardised values: mean 0, standard deviation 1.

A new head predicts about 0 and learns in steps of the learning rate, so that it would never reach prices of 300,000, whose
squared errors would drown everything else in the loss. While a model is trained, its last layer therefore holds the weights
``V, c`` of standardised values, and what it puts out is turned into the labels' units behind it:
``y = scale * (V x + c) + mean``. In the end both are folded into the layer, ``W = scale * V`` and ``b = scale * c + mean``, so
that the saved model is a plain one. Outputs are in the labels' units all the time; losses are divided by ``scale^2``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from constrictor.data.batching import RawOutputs


class Units(NamedTuple):
    """What standardised values are multiplied with, and what is added then."""

    scale: float
    mean: float


def units_of(targets: RawOutputs, *, centred: bool) -> Units:
    """The units in which targets are standardised.

    Args:
        targets: labels, NaN where there is none, and the outputs of teachers.
        centred: whether a mean can be folded into the head. GPT-2's has no bias: its values are divided by their root mean
            square, so that they are about 1.

    >>> units_of({"labels": np.array([1.0, 3.0, np.nan])}, centred=True)
    Units(scale=1.0, mean=2.0)
    """
    values = np.concatenate([np.ravel(part) for part in targets.values()]).astype(np.float64)
    values = values[~np.isnan(values)]
    mean = float(values.mean()) if centred else 0.0
    return Units(float(np.sqrt(((values - mean) ** 2).mean())) or 1.0, mean)


@contextmanager
def standardised(model: PreTrainedModel, targets: RawOutputs, *, new_head: bool) -> Iterator[float]:
    """Hold a model's head in standardised units while the block lasts; its outputs stay in those of the labels.

    Args:
        model: the model to train.
        targets: labels and the outputs of teachers.
        new_head: whether the head has not been trained yet: its weights are taken as standardised ones then.

    Yields:
        ``scale^2``: what squared errors are divided by.
    """
    layer = _output_layer(model)
    scale, mean = units_of(targets, centred=layer.bias is not None)
    if not new_head:
        _fold(layer, 1 / scale, -mean / scale)
    # In float32: bf16 keeps three digits, of a price as of what is left when the mean is taken off.
    hook = layer.register_forward_hook(lambda module, inputs, output: output.float() * scale + mean)
    try:
        yield scale**2
    finally:
        hook.remove()
        _fold(layer, scale, mean)


def _output_layer(model: PreTrainedModel) -> nn.Linear:
    """The layer whose output is the value: the last trained one outside the encoder. (peft keeps the old head, frozen.)"""
    encoder = f"{model.base_model_prefix}."
    return [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith(encoder) and module.weight.requires_grad
    ][-1]


@torch.no_grad()
def _fold(layer: nn.Linear, scale: float, shift: float) -> None:
    """Let a layer put out ``scale * y + shift`` where it put out ``y``."""
    layer.weight.mul_(scale)
    if layer.bias is not None:
        layer.bias.mul_(scale).add_(shift)
