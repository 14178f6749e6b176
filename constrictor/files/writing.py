"""Write files and folders so that a reader sees all of them or nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from constrictor.errors import ConstrictorError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# safetensors and ONNX report the operating system's error as text only; torch.save (checkpoints) not even that.
_FULL_SIGNS = ("No space left", "File too large", "inline_container.cc", "PytorchStreamWriter failed")


@contextmanager
def named_disk_errors(target: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a message with what was being written and what to do."""
    try:
        yield
    except Exception as error:
        code = error.errno if isinstance(error, OSError) else None
        if code in _FULL or any(sign in str(error) for sign in _FULL_SIGNS):
            raise ConstrictorError(
                f"the disk is full: {target} could not be written, and nothing of it was kept. "
                "Free some space and run the same command again; finished steps are not repeated."
            ) from error
        if isinstance(error, OSError) and code in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise _not_permitted(error, target.absolute()) from error
        raise


def _not_permitted(error: OSError, target: Path) -> ConstrictorError:
    """The message for a place that the system refuses: the target, or a file elsewhere that it is made from."""
    place = Path(os.fsdecode(error.filename)).absolute() if error.filename else target
    if place.is_relative_to(target.parent) or target.is_relative_to(place):
        return ConstrictorError(f"{target} may not be written: {error.strerror}. Check who owns the folder.")
    return ConstrictorError(f"{place} may not be opened: {error.strerror}. Check who owns it.")


def refuse_file_for(folder: Path) -> None:
    """Refuse a file that lies where a folder is needed, or on the way to it.

    Raises:
        ConstrictorError: naming it.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise ConstrictorError(f"{there} is a file, and a folder is needed there. Move it out of the way.")


def refuse_unwritable(folder: Path) -> None:
    """Refuse a folder that files cannot be written to, before anything is computed for it.

    Raises:
        ConstrictorError: if it, or what there is of the way to it, may not be written.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not os.access(there, os.W_OK):
        raise ConstrictorError(
            f"{folder} may not be written: {there.resolve()} is read-only for you. Check who owns it, and how its disk is "
            "mounted."
        )


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A path to write to; it becomes ``target`` only if the block ends well."""
    staging = target.with_name(f".{target.name}.partial")
    try:
        with named_disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield staging
            os.replace(staging, target)
    finally:
        staging.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_file(target) as staging:
        staging.write_text(text, encoding="utf-8")


def write_json(target: Path, value: object) -> None:
    """Write a value as JSON for people and programs, whole or not at all.

    Raises:
        ValueError: naming the file, if a number is infinite or NaN, which JSON does not have.
    """
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{target} is not written: {error}") from error
    write_text(target, text + "\n")


def spread_permissions(file: Path) -> None:
    """Give all files of a folder the permissions of one that was written just now, which are those of the user's umask.

    Some libraries write files that only their owner may read, which colleagues with the same checkout could not.

    Args:
        file: a file in the folder.
    """
    mode = stat.S_IMODE(file.stat().st_mode)
    for other in file.parent.rglob("*"):
        if other.is_file() and stat.S_IMODE(other.stat().st_mode) != mode:
            other.chmod(mode)


def empty_folder(folder: Path) -> None:
    """Remove all that lies in a folder, and leave the folder itself, which may be locked."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
