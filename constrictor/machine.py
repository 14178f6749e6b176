"""This machine: its processor, and the instruction sets that decide how fast int8 and bf16 are."""

from __future__ import annotations

import os
import platform
import resource
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypedDict

# What low-precision kernels use, by the kernel's names.
_TELLING = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
    "asimddp",
    "i8mm",
    "bf16",
)

# Formats of models that move to a GPU where there is one.
GPU_FORMATS = ("torch", "bitsandbytes")


class Processor(TypedDict):
    """A processor: its name, the number of usable cores, and those of its instruction sets that determine how fast it is."""

    name: str
    cores: int | None
    instructions: list[str]


@lru_cache(maxsize=1)
def processor() -> Processor:
    """This machine's processor."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        if key.strip() in ("flags", "Features"):
            flags.update(value.split())
    return {"name": name, "cores": os.cpu_count(), "instructions": [flag for flag in _TELLING if flag in flags]}


MACHINE_LINE = r"(?m)^\S+ this machine: (.+)$"
"""How the line in a job's log is found again that :func:`format_machine` is written in."""


def format_machine() -> str:
    """This machine, in a line of a log."""
    found, python = processor(), platform.python_version()
    return f"{found['name']}, {found['cores']} cores, {platform.system()} {platform.machine()}, Python {python}"


def peak_memory_bytes() -> int:
    """Most memory that this process ever held, in bytes.

    Not `ru_maxrss` where Linux has a better number: a process inherits that number from the one that started it.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024  # kibibytes elsewhere


def has_int8_dot_product() -> bool:
    """Whether the processor adds up int8 products in 32 bits (VNNI, AMX or Arm's dot product)."""
    return bool({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"} & set(processor()["instructions"]))


def has_bf16_products() -> bool:
    """Whether the processor multiplies bf16 matrices."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(processor()["instructions"]))


def has_gpu() -> bool:
    """Whether an NVIDIA driver is loaded; loads no library, since it is also called while planning."""
    return Path("/dev/nvidiactl").exists()


class Machine(NamedTuple):
    """What decides whether low precision is fast on a machine.

    Attributes:
        gpu: whether there is an NVIDIA GPU.
        int8_dot_product: whether the processor accumulates int8 products in 32 bits.
        bf16_products: whether the processor multiplies bf16 matrices.
    """

    gpu: bool
    int8_dot_product: bool
    bf16_products: bool


def this_machine() -> Machine:
    """The machine that runs this process."""
    return Machine(has_gpu(), has_int8_dot_product(), has_bf16_products())


# The numbers are those of MiniLM on two Zen 5 cores, against float32 in the same runtime.
NO_INT8_DOT_PRODUCT = "this processor has no int8 dot product (VNNI, AMX): little faster than float32, and with 7 bits"
NO_BF16_PRODUCTS = "this machine has no bf16 products: slower than float32"
