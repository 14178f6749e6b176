"""What the machine at hand computes fast, measured on MiniLM with batches of 32 on two Zen 5 cores."""

from __future__ import annotations

import ctypes
from typing import Literal

import torch
from transformers import PreTrainedModel

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # parameters of glibc's mallopt


def has_native_bf16() -> bool:
    """Whether the device multiplies bf16 matrices in hardware, so that bf16 is faster than float32 and not slower."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def use_bf16(precision: Literal["auto", "fp32", "bf16"]) -> bool:
    """Whether to train in bf16 autocast."""
    return precision == "bf16" or (precision == "auto" and has_native_bf16())


def prepare_for_training(model: PreTrainedModel) -> None:
    """Make training on a CPU fast: two settings that change no result beyond rounding.

    - Plain attention instead of the fused one. Without dropout, the fused one's backward pass takes 1.7 times as long on
      a CPU in bf16; with dropout there is no fused one, and this brings little.
    - Freed memory is kept: glibc otherwise returns each large gradient to the system, and the page faults of getting it
      back cost up to 25 % of a small student's step without dropout, and about nothing of a larger model's.
    """
    if torch.cuda.is_available():
        return
    model.set_attn_implementation("eager")
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # no glibc: nothing to tune
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
