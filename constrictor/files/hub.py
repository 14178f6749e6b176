"""Fetch files of a hub's repository at one commit, compare them with their hashes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from constrictor.errors import ConstrictorError
from constrictor.files.hashes import sha256_of
from constrictor.files.hub_errors import Repository, explain
from constrictor.files.writing import named_disk_errors


@dataclass(frozen=True)
class Snapshot:
    """What lies in the cache: the folder of a commit, and the names of all files that the repository has there."""

    folder: Path
    commit: str
    names: list[str]


def fetch(repository: Repository, wanted: Sequence[str], unwanted: Sequence[str] = ()) -> Snapshot:
    """Have the files that match ``wanted`` and not ``unwanted`` (glob patterns) in the cache, whole and unchanged.

    Raises:
        ConstrictorError: whatever the hub refuses, a lost connection, a damaged file, a cache without them when offline.
    """
    from huggingface_hub import HfApi, constants, get_cached_repo_tree, snapshot_download

    name, kind = repository.name, repository.kind
    try:
        with named_disk_errors(Path(constants.HF_HUB_CACHE)):
            revision = HfApi().resolve_revision(name, repo_type=kind, revision=repository.revision)
            folder = snapshot_download(
                name, repo_type=kind, revision=revision, allow_patterns=list(wanted), ignore_patterns=list(unwanted)
            )
            tree = get_cached_repo_tree(name, repo_type=kind, revision=revision)
    except ConstrictorError:
        raise
    except Exception as error:  # the hub's client raises dozens of kinds
        raise explain(error, repository) from None
    snapshot = Snapshot(Path(folder), revision.resolved, [file.path for file in tree])
    for path in snapshot.names:
        if any(fnmatch(path, pattern) for pattern in wanted) and not any(
            fnmatch(path, pattern) for pattern in unwanted
        ):
            _refuse_damaged(snapshot.folder / path, path, repository)
    return snapshot


def _refuse_damaged(file: Path, path: str, repository: Repository) -> None:
    """Compare a file with the hash that it has on the hub, which its link's target is named after.

    The client compares sizes only. Small files have git's hash of a blob, large ones SHA-256.
    """
    if not file.is_symlink():
        return
    wanted = Path(os.readlink(file)).name
    if re.fullmatch("[0-9a-f]{64}", wanted):
        found = sha256_of(file)
    elif re.fullmatch("[0-9a-f]{40}", wanted):
        content = file.read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    else:  # a mirror that names files otherwise
        return
    if found != wanted:
        file.resolve().unlink()
        file.unlink()
        raise ConstrictorError(
            f"{repository}: the file {path} is damaged: its hash is {found} and should be {wanted}. It was deleted from "
            "the cache. Run the same command again; if that does not help, what lies between you and the hub changes it."
        )
