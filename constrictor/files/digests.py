"""Hashes of files that are computed once: every call of Snakemake needs them, on a cluster also that of each job."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from constrictor.errors import ConstrictorError
from constrictor.files.hashes import sha256_of
from constrictor.files.reading import read_object
from constrictor.files.writing import write_json


class KnownDigests:
    """Hashes of files, recorded in a JSON file.

    Args:
        record: the JSON file. Where it cannot be written, the next process computes the hashes again.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._known = read_object(record)

    def of(self, file: Path) -> str:
        """SHA-256 of a file's content.

        Raises:
            OSError: if it cannot be read.
        """
        found = os.stat(file)
        # Programs may set the modification time of a file, but not the time of its last change.
        stamp = [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
        match self._known.get(str(file)):
            case [*known, str(digest)] if known == stamp:
                return digest
        digest = sha256_of(file)
        self._known[str(file)] = [*stamp, digest]
        with suppress(ConstrictorError, OSError):
            write_json(self._record, self._known)
        return digest
