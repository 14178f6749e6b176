"""The files on this machine that a source of data or models consists of; none for a hub."""

from __future__ import annotations

from pathlib import Path

from constrictor.models.checkpoint_files import files_read
from constrictor.study.local_sources import package_path
from constrictor.study.sources import LocalFile, LocalModel, PackageFile, PackageModel, SplitSources
from constrictor.study.splits import SPLITS


def parts_of(source: object) -> list[object]:
    """The sources of the splits, where each has its own; else the source itself."""
    if not isinstance(source, SplitSources):
        return [source]
    return [part for split in SPLITS if (part := getattr(source, split)) is not None]


def local_files(source: object) -> list[str]:
    """The files that a source names by their paths: data, or the configuration, weights and tokenizer of a model."""
    if isinstance(source, LocalModel):
        return [str(file) for file in files_read(Path(source.path), source.convert_pickle)]
    return [part.path for part in parts_of(source) if isinstance(part, LocalFile)]


def package_files(source: object) -> dict[str, list[Path]]:
    """The files of a source in installed packages, by the name of the package."""
    found: dict[str, list[Path]] = {}
    for part in parts_of(source):
        if isinstance(part, PackageFile):
            found.setdefault(part.package, []).append(package_path(part.package, part.file))
        elif isinstance(part, PackageModel):
            found.setdefault(part.package, []).extend(
                files_read(package_path(part.package, part.folder), part.convert_pickle)
            )
    return found
