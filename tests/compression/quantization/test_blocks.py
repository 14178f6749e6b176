import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxruntime.capi._pybind_state import quantize_matmul_4bits, quantize_matmul_8bits

from constrictor.compression.quantization.blocks import pack, round_blocks


@given(
    seed=st.integers(0, 10_000),
    bits=st.sampled_from([4, 8]),
    block=st.sampled_from([16, 32]),
    width=st.integers(1, 70),
    shift=st.sampled_from([-3.0, 0.0, 3.0]),
)
def test_rounding_error_is_at_most_half_a_step_and_zero_is_exact(seed, bits, block, width, shift):
    rows = (np.random.default_rng(seed).normal(size=(5, width)) + shift).astype(np.float32)
    rows[:, 0] = 0
    values, scales, zeros = round_blocks(rows, bits, block)
    blocks = -(-width // block)
    assert values.shape == (5, blocks, block)
    assert scales.shape == zeros.shape == (5, blocks)
    assert values.max() < 2**bits
    restored = scales[:, :, None] * (values.astype(np.float32) - zeros[:, :, None])
    error = np.abs(restored.reshape(5, -1)[:, :width] - rows)
    # Half a step for the value, and as much for the zero point at the ends of the range.
    assert (error <= 1.0001 * np.repeat(scales, block, axis=1)[:, :width]).all()
    assert (error <= 0.5001 * np.repeat(scales, block, axis=1)[:, :width]).mean() > 0.9
    assert (restored[:, 0, 0] == 0).all()


@pytest.mark.parametrize(("bits", "theirs"), [(4, quantize_matmul_4bits), (8, quantize_matmul_8bits)])
def test_blocks_are_those_of_the_runtimes_own_quantizer(bits, theirs):
    matrix = np.random.default_rng(1).normal(size=(128, 10)).astype(np.float32)
    packed = np.zeros((10, 4, 32 * bits // 8), np.uint8)
    scales, zeros = np.zeros((10, 4), np.float32), np.zeros((10, 4 * bits // 8), np.uint8)
    theirs(packed, matrix, scales, zeros, 32, 10, 128, False)
    ours = round_blocks(matrix.T, bits, 32)
    np.testing.assert_allclose(ours.scales, scales, rtol=1e-5)
    np.testing.assert_array_equal(pack(ours.zeros, bits), zeros)
    np.testing.assert_array_equal(pack(ours.values, bits), packed)


def test_a_block_of_zeros_stays_zero():
    values, scales, zeros = round_blocks(np.zeros((2, 16), np.float32), 4, 16)
    assert not scales.any()
    np.testing.assert_array_equal(values, np.broadcast_to(zeros[:, :, None], values.shape))


@given(st.lists(st.integers(0, 15), min_size=1, max_size=9))
def test_packed_numbers_come_out_again(numbers):
    packed = pack(np.array(numbers, np.uint8), 4)
    assert len(packed) == -(-len(numbers) // 2)
    assert [packed[i // 2] >> 4 * (i % 2) & 15 for i in range(len(numbers))] == numbers
