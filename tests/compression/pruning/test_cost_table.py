import copy

import numpy as np
import pytest
import torch
from scipy.stats import linregress
from transformers import BertConfig, BertForSequenceClassification

from constrictor.compression.pruning import cost_table
from constrictor.compression.pruning.cost_table import measure_costs
from constrictor.models.widths import block_of, blocks_of, input_width, keep_neurons


@pytest.mark.parametrize(("units", "widths"), [(12, [3, 6, 9, 12]), (2, [1, 2]), (1, [1]), (7, [2, 4, 5, 7])])
def test_quarters_of_a_width_are_timed(units, widths):
    assert cost_table._steps(units) == widths


@pytest.mark.parametrize(
    ("table", "slope"),
    [
        ({1: 5.0, 2: 5.0}, 0.01 * 5 / 2),  # no rise: a cost is positive all the same
        ({1: 9.0, 3: 5.0}, 0.01 * 7 / 3),
        ({4: 8.0}, 0.01 * 8 / 4),
        ({3: 1.0, 6: 1.9, 12: 4.2}, linregress([3, 6, 12], [1.0, 1.9, 4.2]).slope),
    ],
)
def test_a_unit_costs_the_slope_of_the_table(table, slope):
    assert cost_table._slope(table) == pytest.approx(slope, abs=1e-9)


@pytest.fixture
def model() -> BertForSequenceClassification:
    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    return BertForSequenceClassification(BertConfig(**sizes, intermediate_size=24))


def test_a_copy_of_the_first_layer_is_narrowed(model):
    layer = cost_table._narrowed(model, keep_neurons, 6)
    assert input_width(block_of(model, layer).ffn_out) == 6
    assert input_width(blocks_of(model)[0].ffn_out) == 24


def test_costs_are_slopes_of_what_was_measured_on_narrowed_layers(model, monkeypatch):
    def measure(calls, rounds, typical):
        assert torch.is_inference_mode_enabled()
        assert typical([3.0, 1.0, 2.0]) == 1.0
        for call in calls.values():
            assert torch.as_tensor(call()[0] if isinstance(call(), tuple) else call()).shape[-1] == 16
        expected = {(kind, units): 1 + 0.5 * units if kind == "heads" else 2 + 0.01 * units for kind, units in calls}
        # Odd rounds are disturbed, fewer than half of them.
        return {
            key: np.array([value * (1 + number % 2) for number in range(rounds)]) for key, value in expected.items()
        }

    monkeypatch.setattr(cost_table, "milliseconds_in_turn", measure)
    before = copy.deepcopy(model.state_dict())
    table = measure_costs(model, blocks_of(model)[0])
    assert table.heads == {1: 1.5, 2: 2.0, 3: 2.5, 4: 3.0}
    assert table.ffn == {6: 2.06, 12: 2.12, 18: 2.18, 24: 2.24}
    assert (table.head_ms, table.neuron_ms, table.layer_ms) == (0.5, pytest.approx(0.01), 2.24)
    assert table.record()["ffn"] == table.ffn
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
