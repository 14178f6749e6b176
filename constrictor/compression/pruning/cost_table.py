"""What heads and neurons cost in time on the machine at hand, measured on a layer of several widths."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from constrictor.models.architecture import encoder_layers
from constrictor.models.widths import Block, block_of, keep_heads, keep_neurons
from constrictor.runtimes.timing import Call, milliseconds_in_turn

BATCH, LENGTH = 8, 64
ROUNDS = 7
WIDTHS = 4


@dataclass(frozen=True)
class CostTable:
    """Milliseconds of one layer by its width, batch 8, length 64.

    Attributes:
        heads: milliseconds by number of heads, with all neurons.
        ffn: milliseconds by number of neurons, with all heads.
        head_ms: what one head adds: the slope of the first table.
        neuron_ms: what one neuron adds.
        layer_ms: the whole layer.
    """

    heads: dict[int, float]
    ffn: dict[int, float]
    head_ms: float
    neuron_ms: float
    layer_ms: float

    def record(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        return {"batch": BATCH, "length": LENGTH, **asdict(self)}


def measure_costs(model: PreTrainedModel, block: Block) -> CostTable:
    """Time copies of a model's first layer with fewer heads and fewer neurons, taking turns."""
    heads = _steps(block.heads) if block.into_heads else [block.heads]
    neurons = _steps(block.neurons)
    narrowed = {("heads", count): _narrowed(model, keep_heads, count) for count in heads}
    narrowed |= {("ffn", count): _narrowed(model, keep_neurons, count) for count in neurons}
    calls = {key: _call(layer, model) for key, layer in narrowed.items()}
    with torch.inference_mode():
        # Other jobs only ever make a call slower, and a slope rests on differences: the shortest time of a round counts.
        times = milliseconds_in_turn(calls, ROUNDS, typical=min)
    by_heads = {count: round(float(np.median(times["heads", count])), 5) for count in heads}
    by_neurons = {count: round(float(np.median(times["ffn", count])), 5) for count in neurons}
    return CostTable(by_heads, by_neurons, _slope(by_heads), _slope(by_neurons), by_neurons[block.neurons])


def _steps(units: int) -> list[int]:
    """A few widths up to the whole."""
    return sorted({max(1, round(units * step / WIDTHS)) for step in range(1, WIDTHS + 1)})


def _narrowed(model: PreTrainedModel, keep: Callable[[Block, torch.Tensor], None], count: int) -> nn.Module:
    """A copy of the first layer with fewer units."""
    layer = copy.deepcopy(encoder_layers(model)[0]).cpu().eval()
    keep(block_of(model, layer), torch.arange(count))
    return layer


def _call(layer: nn.Module, model: PreTrainedModel) -> Call:
    hidden = torch.randn(BATCH, LENGTH, model.config.hidden_size, generator=torch.Generator().manual_seed(0))
    return lambda: layer(hidden)


def _slope(table: dict[int, float]) -> float:
    """Milliseconds a unit: the least-squares line, never below a hundredth of the mean, since a cost is positive."""
    units, found = np.array(list(table)), np.array(list(table.values()))
    slope = float(np.polyfit(units, found, 1)[0]) if len(table) > 1 else 0.0
    return round(max(slope, 0.01 * float(found.mean() / units.max())), 9)
