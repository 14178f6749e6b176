import numpy as np
import torch
from torch import nn

from constrictor.models.quantized.nf4 import quantize_base, round_to_nf4

# Dettmers et al. (2023), appendix E: quantiles of the normal distribution, scaled to [-1, 1].
VALUES = [
    -1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0,
    0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0,
]  # fmt: skip


def test_weights_are_rounded_to_the_nearest_value_of_nf4_a_block_of_64_at_a_time():
    torch.manual_seed(0)
    model = nn.ModuleDict({"rounded": nn.Linear(128, 64), "other": nn.Linear(128, 64)})
    model["rounded"].weight.data *= torch.logspace(-1, 1, 64).view(-1, 1)
    before, other = (model[name].weight.detach().clone() for name in ("rounded", "other"))
    round_to_nf4(model, ["rounded"])
    assert torch.equal(model["other"].weight, other)
    blocks = before.numpy().reshape(-1, 64)
    largest = np.abs(blocks).max(axis=1, keepdims=True)
    nearest = np.array(VALUES)[np.abs((blocks / largest)[..., None] - VALUES).argmin(axis=-1)] * largest
    found = model["rounded"].weight.detach().numpy().reshape(-1, 64)
    # The scales are rounded to 8 bits, over a range of 100 here.
    assert np.abs(found - nearest).max() < 0.02 * np.abs(blocks).max()
    np.testing.assert_array_equal(np.sign(found), np.sign(nearest))


def test_the_base_of_an_adapter_computes_with_the_rounded_weights():
    torch.manual_seed(0)
    linear = nn.Linear(64, 32)
    base, rounded = (nn.Sequential(nn.Linear(64, 32)) for _ in range(2))
    for model in (base, rounded):
        model.load_state_dict({"0.weight": linear.weight, "0.bias": linear.bias})
    assert quantize_base(base, {"0": base[0]}) == ["0"]
    round_to_nf4(rounded, ["0"])
    x = torch.randn(5, 64, requires_grad=True)
    torch.testing.assert_close(base(x), rounded(x), rtol=0, atol=1e-5)
