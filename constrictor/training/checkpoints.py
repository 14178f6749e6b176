"""Checkpoints on disk: sealed with their hashes, so that one half-written or damaged since is not taken for a whole one."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from constrictor.errors import ConstrictorError
from constrictor.files.writing import atomic_file, spread_permissions, write_text
from constrictor.models.manifest import hash_files
from constrictor.progress import log

_SEAL = "complete"


def checkpoint_at(folder: Path, step: int) -> Path:
    """Where the trainer puts the checkpoint of an optimiser step."""
    return folder / f"checkpoint-{step}"


def mark_whole(checkpoint: Path) -> None:
    """Seal a checkpoint with the hashes of its files."""
    # A step can be saved twice: by the clock, and as the last of its epoch.
    hashes = {name: entry.sha256 for name, entry in hash_files(checkpoint).items() if name != _SEAL}
    write_text(checkpoint / _SEAL, json.dumps(hashes))
    spread_permissions(checkpoint / _SEAL)


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; newer ones, half-written or damaged, are removed."""
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=_step_of, reverse=True):
        flaw = _flaw_of(checkpoint)
        if flaw is None:
            return checkpoint
        log.info("%s is not used: %s", checkpoint.name, flaw)
        shutil.rmtree(checkpoint)
    return None


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _flaw_of(checkpoint: Path) -> str | None:
    """Why a checkpoint cannot be used; None if it is as it was sealed."""
    seal = checkpoint / _SEAL
    if not seal.is_file():
        return "it is half-written"
    try:
        wanted = json.loads(seal.read_text(encoding="utf-8"))
    except ValueError:
        return f"its file {_SEAL} is damaged"
    found = hash_files(checkpoint)
    changed = [name for name in wanted if name not in found or found[name].sha256 != wanted[name]]
    return f"its file {changed[0]} is not what was written" if changed else None


@contextmanager
def code_refused(checkpoint: Path | None) -> Iterator[None]:
    """Refuse a checkpoint to resume from that would run code; the trainer opens tensors and numbers only.

    Raises:
        ConstrictorError: if it holds anything else.
    """
    try:
        yield
    except pickle.UnpicklingError:
        raise ConstrictorError(
            f"{checkpoint} holds more than tensors and numbers, so this training has not written it, and what could run "
            f"foreign code is never opened. Delete it and run snakemake again: rm -r {checkpoint}"
        ) from None


def link(file: Path, target: Path) -> None:
    """Give a file a second name, in place of what had it; where the file system has no links, a copy."""
    with atomic_file(target) as staging:
        staging.unlink(missing_ok=True)  # it may be a link itself, and a copy would write into the file behind it
        try:
            os.link(file, staging)
        except OSError:
            shutil.copyfile(file, staging)
