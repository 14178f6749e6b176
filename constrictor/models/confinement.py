"""Take from the running process what it does not need to turn one open file into another.

Linux's resource limits do this for every user: no file or socket can be opened any more, since no descriptor is left for it
(those that are open stay usable), and memory, processor time and what is written are bounded. Root could raise the limits
again. So the process also moves into namespaces of its own where the kernel permits it: there it is no longer root, and
there is no network.
"""

from __future__ import annotations

import ctypes
import resource
import time
from pathlib import Path
from typing import NamedTuple

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # <linux/sched.h>


class Limits(NamedTuple):
    """What the process may still use, from here on."""

    memory: int
    """Bytes of address space."""
    seconds: int
    """Seconds of processor time."""
    written: int
    """Bytes of the largest file."""


def confine(limits: Limits) -> bool:
    """Set limits that cannot be lifted; whether the process has namespaces of its own.

    What has not been imported yet cannot be: its file could not be opened. Threads that run prevent the namespaces.
    """
    # ASSUME: libc is the one that Python is linked with; it has unshare on every Linux.
    isolated = ctypes.CDLL(None).unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_AS, used + limits.memory)
    _lower(resource.RLIMIT_CPU, int(time.process_time()) + limits.seconds)
    _lower(resource.RLIMIT_FSIZE, limits.written)
    _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_NOFILE, 0)
    return isolated


def _lower(kind: int, value: int) -> None:
    """Set a limit, unless a lower one is already set."""
    _, hard = resource.getrlimit(kind)
    lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (lowest, lowest))
