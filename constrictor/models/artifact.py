"""Write an artifact's folder so that a reader sees all of it or nothing; its manifest is written last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from constrictor.files.exclusive_lock import exclusive_lock
from constrictor.files.writing import empty_folder, named_disk_errors, spread_permissions
from constrictor.models.manifest import MANIFEST, Manifest, hash_files


@contextmanager
def artifact_folder(target: Path) -> Iterator[Path]:
    """A folder to write an artifact to; it becomes ``target`` only if the block ends well.

    The block ends by calling :func:`seal`, which writes the manifest last.

    Raises:
        ConstrictorError: if the disk is full or read-only, or another process is writing the same artifact.
    """
    staging = target.with_name(f".{target.name}.partial")
    with named_disk_errors(target):
        staging.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(staging):
            try:
                empty_folder(staging)  # a kill may have left something
                yield staging
                if not (staging / MANIFEST).is_file():
                    raise AssertionError(f"{target}: the block ended without a manifest")
                shutil.rmtree(target, ignore_errors=True)
                os.replace(staging, target)
            finally:
                shutil.rmtree(staging, ignore_errors=True)


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest of a folder, with the hashes of all that lies in it."""
    sealed = manifest.model_copy(update={"files": hash_files(folder)})
    text = sealed.model_dump_json(indent=2, exclude_none=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    spread_permissions(folder / MANIFEST)
    return sealed
