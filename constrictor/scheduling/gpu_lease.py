"""GPUs for the jobs of one workstation: a job leases one and sees no other.

Snakemake counts GPUs and gives no ids, so two jobs that run at once would both take the first one. Here a job locks the file
of a free id (`flock`, in a folder of the user's own in the temporary folder) and sets `CUDA_VISIBLE_DEVICES`. The lock is
the process's: however it ends, the kernel releases the GPU.

On a cluster the queue has assigned the job its GPUs, and nothing is leased.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from constrictor.progress import log

VISIBLE = "CUDA_VISIBLE_DEVICES"
_SECONDS_BETWEEN_TRIES = 0.05
_held: list[int] = []  # file descriptors that stay open, and so locked, as long as the process lives


def visible_gpus(environment: Mapping[str, str] = os.environ, devices: Path = Path("/dev")) -> list[str]:
    """Ids of the GPUs that this process may use; calls no library, since it is also needed while planning.

    An id ends the list if CUDA would not accept it (CUDA C++ Programming Guide, environment variables): "0,1,-1" is two.
    """
    if VISIBLE in environment:
        ids = [name.strip() for name in environment[VISIBLE].split(",")]
        wrong = (number for number, name in enumerate(ids) if not re.fullmatch(r"\d+|(GPU|MIG)-\S+", name))
        return ids[: next(wrong, len(ids))]
    nodes = [node for node in devices.glob("nvidia*") if re.fullmatch(r"nvidia\d+", node.name)]
    return [str(number) for number in range(len(nodes))]


def lease_gpu() -> str | None:
    """Wait for a free GPU, make it the only one that this process and its children see, and keep it until they end.

    Has to come before CUDA starts, which reads `CUDA_VISIBLE_DEVICES` once.

    Returns:
        The GPU's id; None where there is none, or where a queue has assigned the GPUs.
    """
    ids = visible_gpus()
    if not ids or "SLURM_JOB_ID" in os.environ:
        return None
    folder = Path(tempfile.gettempdir()) / f"constrictor-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    waited = False
    while True:
        for name in ids:
            if _lock(folder / re.sub(r"[^\w-]", "_", name)):
                os.environ[VISIBLE] = name
                return name
        if not waited:
            log.info("waiting for a free GPU of %s", ", ".join(ids))
        waited = True
        time.sleep(_SECONDS_BETWEEN_TRIES)


def _lock(file: Path) -> bool:
    """Lock a file for the life of this process, unless another process has it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _held.append(descriptor)
    return True
