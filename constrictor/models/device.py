"""What the device that models run on computes natively."""

from __future__ import annotations

import torch


def has_native_bf16() -> bool:
    """Whether the device multiplies bf16 matrices in hardware, so that bf16 is faster than float32 and not slower."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
