"""Read one split of a data set on a hub, at one commit, from the hub or (offline) from the cache."""

from __future__ import annotations

import glob
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constrictor.errors import ConstrictorError, nearest
from constrictor.files.hub import Snapshot, fetch
from constrictor.files.hub_errors import Repository, explain
from constrictor.progress import log
from constrictor.study.sources import HubDataset

if TYPE_CHECKING:
    import pandas as pd

# What describes how the data files are to be read. Every repository of a hub has the last one, so that missing access is
# found here.
_CARD = ("README.md", ".huggingface.yaml", ".gitattributes")


def read_hub(source: HubDataset) -> tuple[str, pd.DataFrame]:
    """What to call the data set in messages, and all rows of the split.

    Raises:
        ConstrictorError: whatever the hub refuses, an unknown configuration or split, a loading script.
    """
    import datasets

    place = f"{source.hub} (split {source.split}" + (f", revision {source.revision})" if source.revision else ")")
    repository = Repository("dataset", source.hub, source.revision)
    card = fetch(repository, _CARD)
    log.info("%s: commit %s", place, card.commit)
    builder = (_cached if datasets.config.HF_HUB_OFFLINE else _fetched)(source, repository, card)
    try:
        table = builder.as_dataset(split=source.split)
    except ValueError:
        raise ConstrictorError(
            f"{source.hub} has no split '{source.split}'. {nearest(source.split, builder.info.splits)}"
        ) from None
    return place, with_class_names(table)


def with_class_names(table: Any) -> pd.DataFrame:
    """The rows of a `datasets.Dataset`, with the names of classes for their numbers ("" for -1, a label that is hidden)."""
    import datasets

    frame = table.to_pandas()
    for column, feature in table.features.items():
        if isinstance(feature, datasets.ClassLabel):
            frame[column] = [feature.int2str(int(value)) if value >= 0 else "" for value in frame[column]]
    return frame


def _fetched(source: HubDataset, repository: Repository, card: Snapshot) -> Any:
    """The builder of a configuration whose data files are fetched, compared with their hashes and read."""
    script = source.hub.rpartition("/")[2] + ".py"
    if script in card.names:
        raise ConstrictorError(
            f"{repository} is made by a script ({script}), and code from outside is never run. Download its copy in Parquet "
            "where the hub has one (branch refs/convert/parquet), and name the file with 'path' instead of 'hub'."
        )
    try:
        builder = _open(source, card)
        stem = f"hf://datasets/{source.hub}@{card.commit}/"
        files = [str(file).removeprefix(stem) for split in builder.config.data_files.values() for file in split]
        fetch(replace(repository, revision=card.commit), [glob.escape(file) for file in files])
        builder.download_and_prepare()
    except ConstrictorError:
        raise
    except Exception as error:  # the library raises dozens of kinds
        raise explain(error, repository) from None
    return builder


def _open(source: HubDataset, card: Snapshot) -> Any:
    import datasets

    try:
        builder = datasets.load_dataset_builder(source.hub, source.config, revision=card.commit)
    except ValueError:
        names = datasets.get_dataset_config_names(source.hub, revision=card.commit)
        if source.config is None and len(names) > 1:
            raise ConstrictorError(
                f"{source.hub} has several configurations. Name one in 'config': {', '.join(sorted(names))}."
            ) from None
        if source.config is None or source.config in names:
            raise
        raise ConstrictorError(
            f"{source.hub} has no configuration '{source.config}'. {nearest(source.config, names)}"
        ) from None
    if builder.hash != card.commit:  # where the hub fails, the library takes any commit from the cache
        raise ConnectionError("the hub served one request and failed the next. Run the same command again.")
    return builder


def _cached(source: HubDataset, repository: Repository, card: Snapshot) -> Any:
    """The builder of a configuration that lies in the cache, prepared from this very commit.

    `load_dataset` itself would take the latest one in the cache, whatever its commit.
    """
    import datasets
    from datasets.naming import camelcase_to_snakecase
    from datasets.packaged_modules.cache.cache import Cache

    owner, _, name = source.hub.rpartition("/")
    folder = Path(datasets.config.HF_DATASETS_CACHE, "___".join([*filter(None, [owner]), camelcase_to_snakecase(name)]))
    prepared = {path.parts[-3]: path for path in folder.glob(f"*/*/{card.commit}")}
    config = source.config or (next(iter(prepared)) if len(prepared) == 1 else None)
    if not prepared:
        raise explain(FileNotFoundError(folder), repository)
    if config not in prepared:
        raise ConstrictorError(
            f"{source.hub}: HF_HUB_OFFLINE is set, and of its configurations only these are in the cache: "
            f"{', '.join(sorted(prepared))}. Name one of them in 'config', or fetch it once without HF_HUB_OFFLINE."
        )
    version = prepared[config].parts[-2]
    return Cache(dataset_name=name, repo_id=source.hub, config_name=config, version=version, hash=card.commit)
