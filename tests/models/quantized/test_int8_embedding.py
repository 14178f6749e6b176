import numpy as np
import pytest
import torch
from torch import nn

from constrictor.models.quantized.int8_embedding import Int8Embedding


def _rounded(weight: np.ndarray) -> np.ndarray:
    """Int8 with a scale a row, in numpy."""
    scales = np.abs(weight).max(axis=1, keepdims=True) / np.float32(127)
    return np.where(scales > 0, scales * np.round(weight / np.where(scales > 0, scales, 1)), 0)


@pytest.mark.parametrize("shape", [(5,), (3, 7), (2, 3, 4)])
def test_lookup_equals_numpy(shape):
    torch.manual_seed(1)
    table = nn.Embedding(50, 16)
    table.weight.data *= torch.logspace(-3, 3, 50).view(-1, 1)  # each row needs a scale of its own
    ids = torch.randint(0, 50, shape)
    found = Int8Embedding.from_embedding(table)(ids)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), _rounded(table.weight.detach().numpy())[ids.numpy()], rtol=1e-6)


def test_padding_is_kept():
    table = Int8Embedding.from_embedding(nn.Embedding(4, 8, padding_idx=2))
    assert table.padding_idx == 2
    assert not table(torch.tensor([2])).any()


def test_state_is_a_byte_a_number_and_a_scale_a_row():
    state = Int8Embedding.from_embedding(nn.Embedding(10, 8)).state_dict()
    assert {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in state.items()} == {
        "weight": (torch.int8, (10, 8)),
        "scale": (torch.float32, (10,)),
    }
