"""Files that are dated ahead of this machine's clock, since it was set back or another machine's goes ahead."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path


def clamp_future_mtimes(places: Iterable[Path]) -> list[Path]:
    """Date files now that are dated later: Snakemake refuses what it makes of them as older than its inputs.

    All get the same date, so that none of them becomes newer than what was made of it.

    Args:
        places: files, and folders with all that lies in them; what is not there or may not be changed stays as it is.

    Returns:
        The files.
    """
    now = time.time()
    changed = []
    for file in (file for place in places for file in ([place] if place.is_file() else place.rglob("*"))):
        try:
            if file.stat().st_mtime > now:
                os.utime(file, (now, now))
                changed.append(file)
        except OSError:
            continue
    return changed
