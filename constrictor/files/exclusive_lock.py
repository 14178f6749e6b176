"""One process at a time in a folder: a run that was killed may have left one behind that still works there.

The lock is the kernel's (`flock`) and on the folder itself, so it leaves no file and ends with its process, however that
ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from constrictor.errors import ConstrictorError


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Have a folder for this process alone while the block lasts.

    Args:
        folder: an existing folder.

    Raises:
        ConstrictorError: if another process has it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = _holder(descriptor)
        os.close(descriptor)
        who, end = (f"process {other}", f", or end it (kill {other}),") if other else ("another process", "")
        raise ConstrictorError(
            f"{who} is at work in {folder}: a run that was killed may have left it behind. Wait until it has ended{end} "
            "and run the same command again."
        ) from None
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> int | None:
    """Id of the process that holds the lock, where the kernel reports it (`man 5 proc_locks`)."""
    place = f":{os.fstat(descriptor).st_ino}"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    held = [fields for fields in map(str.split, lines) if fields[1] == "FLOCK" and fields[5].endswith(place)]
    return int(held[0][4]) if held else None
