import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from constrictor.models.quantized.int8_linear import Int8Linear, quantize_symmetric


@given(seed=st.integers(0, 10_000), size=st.sampled_from([1e-6, 0.05, 1.0, 300.0]), per_channel=st.booleans())
def test_rounding_error_is_at_most_half_a_step(seed, size, per_channel):
    weight = size * torch.randn(9, 17, generator=torch.Generator().manual_seed(seed))
    values, scales = quantize_symmetric(weight, per_channel)
    steps = scales.view(-1, 1).expand(9, 1)
    assert values.dtype == torch.int8
    assert scales.shape == ((9,) if per_channel else (1,))
    assert values.abs().max() == 127
    assert ((weight - steps * values).abs() <= steps * 0.5001).all()


def test_each_row_has_a_scale_of_its_own_only_per_channel():
    weight = torch.tensor([[1.0, -0.5], [100.0, 50.0]])
    values, scales = quantize_symmetric(weight, per_channel=True)
    torch.testing.assert_close(scales, torch.tensor([1.0, 100.0]) / 127)
    assert values[0].tolist() == [127, -64]
    values, scales = quantize_symmetric(weight, per_channel=False)
    torch.testing.assert_close(scales, torch.tensor([100.0]) / 127)
    assert values[0].tolist() == [1, -1]


@pytest.mark.parametrize("per_channel", [True, False])
def test_a_row_of_zeros_stays_zero(per_channel):
    values, scales = quantize_symmetric(torch.zeros(2, 3), per_channel)
    assert not values.any()
    assert torch.isfinite(scales).all()


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_layer_equals_dequantized_weights_within_activation_rounding(per_channel, bias):
    torch.manual_seed(3)
    linear = nn.Linear(64, 24, bias=bias)
    layer = Int8Linear.from_linear(linear, per_channel)
    x = torch.randn(5, 7, 64)
    weight = layer.scale.view(-1, 1) * layer.weight
    expected = nn.functional.linear(x, weight, linear.bias)
    levels = 127 if layer._reduce_range else 255
    step = (x.max().clamp(min=0) - x.min().clamp(max=0)) / levels
    found = layer(x)
    assert found.shape == (5, 7, 24)
    assert ((found - expected).abs() <= step * weight.abs().sum(dim=1) + 1e-4).all()
    assert (found - expected).abs().mean() < 0.05 * expected.abs().mean()


def test_weights_are_packed_once():
    layer = Int8Linear.from_linear(nn.Linear(8, 3), per_channel=True)
    layer(torch.ones(1, 8))
    packed = layer._packed
    layer(torch.ones(1, 8))
    assert layer._packed is packed


@pytest.mark.parametrize("vnni", [True, False])
def test_activations_are_reduced_to_seven_bits_where_products_could_overflow(monkeypatch, vnni):
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: vnni)
    layer = Int8Linear.from_linear(nn.Linear(8, 2, bias=False), per_channel=True)
    found = layer(torch.linspace(0, 1, 8).diag()) / (layer.scale * layer.weight.T)
    levels = found.nanmean(dim=1) * (255 if vnni else 127)
    torch.testing.assert_close(levels, levels.round(), atol=0.02, rtol=0)
