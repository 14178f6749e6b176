"""What the machine at hand computes fast, measured on MiniLM with batches of 32 on two Zen 5 cores."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from constrictor.errors import ConstrictorError
from constrictor.models.device import has_native_bf16
from constrictor.study.steps.step import Precision

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # parameters of glibc's mallopt

_TENSOR_CORES, _AMPERE = (7, 0), (8, 0)  # compute capabilities: from here on fp16, from here on tf32


class Device(NamedTuple):
    """What matters of a device: whether bf16 products run in its hardware, and a GPU's compute capability."""

    native_bf16: bool
    capability: tuple[int, int] | None = None  # None: a CPU


class Arithmetic(NamedTuple):
    """How matrix products are computed while training; all false is float32."""

    bf16: bool = False
    fp16: bool = False  # with scaled losses
    tf32: bool = False  # for the products that stay in float32


def this_device() -> Device:
    """The device that the trainer will choose."""
    return Device(has_native_bf16(), torch.cuda.get_device_capability() if torch.cuda.is_available() else None)


def arithmetic(precision: Precision, device: Device) -> Arithmetic:
    """How to compute with a step's precision.

    Raises:
        ConstrictorError: if the device cannot.

    >>> arithmetic("auto", Device(native_bf16=False, capability=(7, 5)))
    Arithmetic(bf16=False, fp16=True, tf32=False)
    """
    has_tf32 = device.capability is not None and device.capability >= _AMPERE
    if precision == "fp16" and device.capability is None:
        raise ConstrictorError("'precision: fp16' trains on GPUs only. Use 'auto', 'bf16' or 'fp32' on this machine.")
    if precision == "tf32" and not has_tf32:
        raise ConstrictorError(
            "'precision: tf32' needs a GPU of the Ampere generation or a newer one. Use 'auto' or 'fp32' on this machine."
        )
    if precision == "auto":
        fast_fp16 = device.capability is not None and device.capability >= _TENSOR_CORES
        return Arithmetic(device.native_bf16, fast_fp16 and not device.native_bf16, has_tf32)
    return Arithmetic(precision == "bf16", precision == "fp16", has_tf32 and precision != "fp32")


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
