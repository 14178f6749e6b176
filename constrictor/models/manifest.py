"""The manifest of an artifact: what the model is, how it was made, and the hashes of its files."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from constrictor.errors import ConstrictorError
from constrictor.files.hashes import sha256_of
from constrictor.study.settings import Settings

MANIFEST = "manifest.json"

Format = Literal["torch", "torch-int8", "bitsandbytes", "onnx", "ort", "openvino"]


class FileEntry(Settings):
    """One file of an artifact."""

    bytes: int
    sha256: str


class EncoderShape(Settings):
    """Number of attention heads and of feed-forward neurons of each layer."""

    heads: list[int]
    ffn: list[int]


class StepRecord(Settings):
    """One step of a lineage with the settings that it ran with."""

    step: str
    settings: dict[str, Any]


class AdapterRecord(Settings):
    """How the model of a folder that holds only an adapter is put together again."""

    base: str = Field(description="Folder of the model that it was trained on, relative to this one.")
    base_digest: str = Field(description="Digest of that model's weights and configuration.")
    base_bytes: int = Field(description="Size of that model's files, which is needed on top of this folder's.")
    layers: list[int] | None = Field(None, description="Layers that are kept of it; None for all.")
    nf4: list[str] = Field([], description="Layers of it whose weights are rounded to NF4.")


class TaskRecord(Settings):
    """The task that a model was trained for, as far as encoding its inputs and reading its outputs depend on it."""

    kind: str
    labels: list[str] = Field([], description="Names of the model's outputs, where the kind has such names.")
    max_length: int = Field(description="Longest input in tokens, special tokens included.")
    options: dict[str, Any] = Field({}, description="What only tasks of this kind have.")


class Manifest(Settings):
    """What ``manifest.json`` holds. It has no times, so that the same model gives the same manifest."""

    format: Format
    precision: str
    task: TaskRecord | None = Field(None, description="What it was trained for; None for a checkpoint to start from.")
    seed: int | None = None
    lineage: list[StepRecord] = []
    parameters: int
    nonzero_parameters: int
    layers: int | None = None
    shape: EncoderShape | None = Field(
        None,
        description="Widths of the layers if `config.json` cannot express them: pruned heads, or different widths.",
    )
    adapter: AdapterRecord | None = Field(None, description="Set where the folder holds an adapter and no whole model.")
    details: dict[str, Any] = Field({}, description="What the last step found out about its model.")
    versions: dict[str, str] = {}
    files: dict[str, FileEntry] = {}

    @property
    def bytes(self) -> int:
        """Size of all files on disk."""
        return sum(entry.bytes for entry in self.files.values())

    @property
    def sparsity(self) -> float:
        """Share of all parameters that are zero."""
        return 1 - self.nonzero_parameters / self.parameters

    def trained_for(self) -> TaskRecord:
        """The task that the model was trained for.

        Raises:
            ConstrictorError: if this is a checkpoint that was not trained on a task.
        """
        if self.task is None:
            raise ConstrictorError(
                "the model is a checkpoint to start from: it has not been trained on a task. Put a 'finetune', "
                "'distil' or 'checkpoint' step before this one."
            )
        return self.task

    def descend(self, step: str, settings: Settings, **changes: Any) -> Manifest:
        """The manifest of a child: this one with a further step in its lineage and what the step changed."""
        record = StepRecord(step=step, settings=settings.model_dump(mode="json", exclude_none=True, by_alias=True))
        fresh: dict[str, Any] = {"details": {}, "adapter": None, "files": {}}
        return self.model_copy(update={"lineage": [*self.lineage, record], **fresh, **changes})


def installed_versions(*packages: str) -> dict[str, str]:
    """Versions of the packages that a step's result depends on."""
    return {package: version(package) for package in ("constrictor", *packages)}


def hash_files(folder: Path) -> dict[str, FileEntry]:
    """Sizes and hashes of all files of an artifact but its manifest."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {
        file.relative_to(folder).as_posix(): FileEntry(bytes=file.stat().st_size, sha256=sha256_of(file))
        for file in files
    }


def read_manifest(folder: Path) -> Manifest:
    """Read a manifest and compare every file with it.

    Raises:
        ConstrictorError: if the manifest or a file is missing, or a file is not what was written.
    """
    path = folder / MANIFEST
    rebuild = f"Delete it and run snakemake again: rm -r {folder}"
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConstrictorError(f"{folder} is no finished model: it has no {MANIFEST}. Run snakemake again.") from None
    except (ValueError, ValidationError) as error:
        raise ConstrictorError(f"{path} is damaged ({type(error).__name__}). {rebuild}") from None
    for name, entry in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise ConstrictorError(f"{folder} has lost its file {name}. {rebuild}")
        if file.stat().st_size != entry.bytes or sha256_of(file) != entry.sha256:
            raise ConstrictorError(f"{file} is not what was written: its content was changed or cut off. {rebuild}")
    return manifest
