import pytest
import torch
from torch import nn

from constrictor.models.quantized.int8_linear import Int8Linear


@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_are_rounded_as_torch_rounds_them(per_channel):
    linear = nn.Linear(17, 9)
    linear.weight.data *= torch.logspace(-2, 2, 9).view(-1, 1)
    layer = Int8Linear.from_linear(linear, per_channel)
    weight = linear.weight.detach()
    rows = weight.tolist() if per_channel else [weight.flatten().tolist()]
    steps = torch.tensor([max(abs(value) for value in row) / 127 for row in rows])
    zeros = torch.zeros(9, dtype=torch.int32)
    expected = torch.fake_quantize_per_channel_affine(weight, steps.expand(9).contiguous(), zeros, 0, -127, 127)
    torch.testing.assert_close(layer.scale, steps)
    assert layer.weight.dtype == torch.int8
    torch.testing.assert_close(layer.scale.view(-1, 1) * layer.weight, expected, rtol=1e-6, atol=0)


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
