"""What a training costs: time, peak memory, and energy where the machine measures it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from constrictor.machine import peak_memory_bytes
from constrictor.progress import Stopwatch

POWERCAP = Path("/sys/class/powercap")
_NVML = "libnvidia-ml.so.1"


class Counter(NamedTuple):
    """A counter of joules that begins again at 0 after ``wraps_at`` joules (None: never)."""

    read: Callable[[], float]
    wraps_at: float | None = None


class Meter:
    """Measures from when it is made."""

    def __init__(self) -> None:
        self._stopwatch = Stopwatch()
        self._counters = [*package_counters(POWERCAP), *_gpu_counters()]
        self._begin = [counter.read() for counter in self._counters]
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def read(self) -> dict[str, float]:
        """Seconds; peak memory of the process since its start, and of the GPU since this meter's; joules if known.

        Joules are those of the whole processor packages and of the first GPU, whoever else used them.
        """
        found: dict[str, float] = {
            "seconds": round(self._stopwatch.seconds, 2),
            "peak_memory_bytes": peak_memory_bytes(),
        }
        if torch.cuda.is_available():
            found["peak_gpu_memory_bytes"] = torch.cuda.max_memory_allocated()
        if self._counters:
            pairs = zip(self._counters, self._begin, strict=True)
            found["energy_joules"] = round(sum(_since(counter, begin) for counter, begin in pairs), 1)
        return found


def _since(counter: Counter, begin: float) -> float:
    used = counter.read() - begin
    return used + counter.wraps_at if used < 0 and counter.wraps_at else max(used, 0.0)


def package_counters(powercap: Path) -> list[Counter]:
    """The processor packages' counters (RAPL); none where there are none or they may not be read."""
    counters = []
    for zone in sorted(powercap.glob("intel-rapl:*")):
        # A zone with two colons is a part of a package, which holds it already.
        if zone.name.count(":") > 1:
            continue
        counter = Counter(lambda file=zone / "energy_uj": int(file.read_text()) / 1e6)  # type: ignore[misc]
        try:
            counter.read()
            counters.append(counter._replace(wraps_at=int((zone / "max_energy_range_uj").read_text()) / 1e6))
        except (OSError, ValueError):
            continue
    return counters


def _gpu_counters() -> list[Counter]:
    """The first GPU's counter (NVML); none where it has none."""
    if not torch.cuda.is_available():
        return []
    handle, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
    try:
        nvml = ctypes.CDLL(_NVML)
        uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}".encode()
        if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByUUID(uuid, ctypes.byref(handle)):
            return []
    except (OSError, AttributeError):
        return []

    def read() -> float:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules))
        return millijoules.value / 1e3

    return [Counter(read)] if nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)) == 0 else []
