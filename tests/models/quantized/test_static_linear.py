import numpy as np
import pytest
import torch
from torch import nn

from constrictor.errors import ConstrictorError
from constrictor.models.quantized.static_linear import StaticInt8Linear


def _static(layer: StaticInt8Linear, x: np.ndarray, low: float, high: float, levels: int) -> np.ndarray:
    """What the layer should compute before its bias is added, with whole numbers in numpy."""
    scale = (high - low) / levels
    zero_point = round(-low / scale)
    q = np.clip(np.round(x / scale) + zero_point, 0, levels).astype(np.int64)
    product = (q - zero_point) @ layer.weight.numpy().astype(np.int64).T
    return product * scale * layer.scale.numpy()


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("bias", [True, False])
# Without VNNI, 8-bit products overflow the 16 bits that they are added up in; the layer itself then takes 7 bits.
@pytest.mark.parametrize("reduced", [True, False] if torch.cpu._is_vnni_supported() else [True])
def test_layer_equals_whole_number_arithmetic(per_channel, bias, reduced):
    torch.manual_seed(4)
    linear = nn.Linear(64, 24, bias=bias)
    layer = StaticInt8Linear.calibrated(linear, per_channel, -1.5, 2.5)
    layer._reduce_range = reduced
    x = 2 * torch.randn(5, 7, 64)  # a part of it lies outside the range
    assert (x > 2.5).any()
    assert (x < -1.5).any()
    found = layer(x)
    assert (found.shape, found.dtype) == ((5, 7, 24), torch.float32)
    expected = _static(layer, x.numpy(), -1.5, 2.5, 127 if reduced else 255)
    expected += linear.bias.detach().numpy() if bias else 0
    packed = layer._packed
    layer(x)
    assert layer._packed is packed  # once is enough
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def test_range_is_kept_whatever_comes():
    layer = StaticInt8Linear.calibrated(nn.Linear(8, 3, bias=False), True, -1.0, 1.0)
    inside, beyond = torch.ones(1, 8), 50 * torch.ones(1, 8)
    torch.testing.assert_close(layer(beyond), layer(inside), atol=0.02, rtol=0.02)


def test_processor_without_kernels_is_refused(monkeypatch):
    monkeypatch.setattr(torch.backends.quantized, "engine", "qnnpack", raising=False)
    with pytest.raises(ConstrictorError, match=r"no torch kernels for static int8.*'method: dynamic'"):
        StaticInt8Linear.calibrated(nn.Linear(8, 3), True, -1.0, 1.0)
