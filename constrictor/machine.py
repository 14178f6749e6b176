"""The machine that something was measured on: its processor and the instructions that decide how fast int8 and bf16 are."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path

# What low-precision kernels use, in the kernel's spelling.
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


@lru_cache(maxsize=1)
def processor() -> dict[str, object]:
    """Name, number of usable cores and the telling instruction sets of this machine's processor."""
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


def has_int8_dot_product() -> bool:
    """Whether the processor adds up int8 products in 32 bits (VNNI, AMX or Arm's dot product)."""
    return bool({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"} & set(processor()["instructions"]))  # type: ignore[call-overload]
