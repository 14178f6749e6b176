"""Round weights block by block: neighbours share a scale and a zero point, so that 4 bits do (Dettmers and Zettlemoyer, 2023).

``w ~ scale * (q - zero)`` with ``q`` and ``zero`` in ``[0, 2^bits - 1]``. The range of a block always holds zero, so that
zero is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Blocks(NamedTuple):
    """Rounded rows.

    Attributes:
        values: ``(rows, blocks, block)`` uint8, one number a byte.
        scales: ``(rows, blocks)`` float32.
        zeros: ``(rows, blocks)`` uint8.
    """

    values: np.ndarray
    scales: np.ndarray
    zeros: np.ndarray


def round_blocks(rows: np.ndarray, bits: int, block: int) -> Blocks:
    """Round each block of each row to ``bits`` bits; a last block that is not full is filled up with zeros.

    Args:
        rows: ``(rows, width)`` float32.
        bits: 4 or 8.
        block: neighbours in a row that share a scale.

    >>> values, scales, zeros = round_blocks(np.array([[-1.0, 0.0, 0.5, 2.0]], np.float32), bits=4, block=4)
    >>> values.tolist(), scales.tolist(), zeros.tolist()
    ([[[0, 5, 7, 15]]], [[0.20000000298023224]], [[5]])
    """
    count, width = rows.shape
    padded = np.pad(rows, ((0, 0), (0, -width % block))).reshape(count, -1, block)
    low, high = np.minimum(padded.min(axis=2), 0), np.maximum(padded.max(axis=2), 0)
    highest = 2**bits - 1
    scales = ((high - low) / highest).astype(np.float32)
    divisor = np.where(scales == 0, 1, scales)
    zeros = np.clip(np.round(-low / divisor), 0, highest)
    values = np.clip(np.round(padded / divisor[:, :, None]) + zeros[:, :, None], 0, highest)
    return Blocks(values.astype(np.uint8), scales, zeros.astype(np.uint8))


def pack(values: np.ndarray, bits: int) -> np.ndarray:
    """Put 4-bit numbers two in a byte along the last axis, the first in the low half; 8-bit numbers stay.

    >>> pack(np.array([1, 2, 15], np.uint8), bits=4).tolist()
    [33, 15]
    """
    if bits == 8:
        return values
    even = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, values.shape[-1] % 2)])
    return even[..., ::2] | even[..., 1::2] << 4
