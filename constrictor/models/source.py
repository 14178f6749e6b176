"""Fetch a checkpoint from a package, a folder or a hub, and make sure that it is whole and holds no pickle."""

from __future__ import annotations

import fnmatch
import json
import math
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tokenizers
from safetensors import safe_open

from constrictor.data.tokenization import TOKENIZER
from constrictor.errors import ConstrictorError
from constrictor.files.hub import fetch
from constrictor.files.hub_errors import Repository
from constrictor.models.artifact import artifact_folder, seal
from constrictor.models.checkpoint_files import PICKLED_WEIGHTS, PICKLES, WANTED, WEIGHTS, wanted_files
from constrictor.models.embedding_rows import drop_tokens_without_embedding
from constrictor.models.manifest import Manifest, installed_versions
from constrictor.models.padding_token import settle_padding
from constrictor.models.pickled_weights import convert_pickle
from constrictor.models.shards import read_index, read_json_of
from constrictor.models.tokenizer_config import settle_tokenizer_config
from constrictor.progress import log
from constrictor.study.local_sources import layers_in, missing_source, package_path
from constrictor.study.sources import HubModel, ModelSource, PackageModel


@dataclass(frozen=True)
class _Origin:
    """Where a checkpoint lies: its folder, its name in messages, all files that it has, and what to record of it."""

    folder: Path
    name: str
    files: list[str]
    record: dict[str, Any]

    def __str__(self) -> str:
        return self.name

    def matching(self, patterns: Iterable[str]) -> list[str]:
        """The files in the folder itself that match a pattern."""
        names = [name for name in self.files if "/" not in name]
        return sorted({name for pattern in patterns for name in fnmatch.filter(names, pattern)})

    @property
    def has_safetensors(self) -> bool:
        """Whether it has weights that need no conversion."""
        return bool(self.matching([WEIGHTS]))


def fetch_model(source: ModelSource, folder: Path) -> Manifest:
    """Copy a checkpoint's configuration, weights and tokenizer into a folder of ours, with a manifest.

    Raises:
        ConstrictorError: a missing package, folder or repository; no weights, or only pickled ones; a truncated file.
    """
    origin = _locate(source)
    with artifact_folder(folder) as staging:
        for file in wanted_files(origin.folder):
            shutil.copyfile(file, staging / file.name)
        config = _read_config(staging, origin)
        details = {"source": origin.record, "model_type": config.get("model_type")}
        if source.convert_pickle and origin.has_safetensors:
            log.info("%s has safetensors, which are used: 'convert_pickle' changes nothing.", origin)
        elif source.convert_pickle:
            details["converted"] = convert_pickle(origin.folder, staging, origin, config)
        _refuse_incomplete(staging, origin)
        _leave_foreign_code(config, staging, origin)
        parameters = _count_parameters(staging, origin)
        _settle_tokenizer(staging, origin)
        manifest = Manifest(
            format="torch",
            precision="fp32",
            parameters=parameters,
            nonzero_parameters=parameters,
            layers=layers_in(config),
            details=details,
            versions=installed_versions("torch", "safetensors") if "converted" in details else {},
        )
        return seal(staging, manifest)


def _locate(source: ModelSource) -> _Origin:
    record = source.model_dump(exclude_defaults=True)
    if isinstance(source, HubModel):
        return _fetched(source, record)
    if problem := missing_source(source):
        raise ConstrictorError(problem)
    if isinstance(source, PackageModel):
        folder = package_path(source.package, source.folder)
        record["version"] = version(source.package)
    else:
        folder = Path(source.path)
    return _Origin(folder, str(folder), [file.name for file in folder.iterdir()], record)


def _fetched(source: HubModel, record: dict[str, Any]) -> _Origin:
    """A model of a hub, in the cache; its pickles only where they are to be converted."""
    snapshot = fetch(Repository("model", source.hub, source.revision), WANTED, ("*/*", *PICKLES))
    name = f"{source.hub} (commit {snapshot.commit[:12]})"
    origin = _Origin(snapshot.folder, name, snapshot.names, {**record, "commit": snapshot.commit})
    if source.convert_pickle and not origin.has_safetensors:
        fetch(Repository("model", source.hub, snapshot.commit), PICKLED_WEIGHTS, ("*/*",))
    return origin


def _read_config(staging: Path, origin: _Origin) -> dict[str, Any]:
    if not (staging / "config.json").is_file():
        raise ConstrictorError(
            f"{origin} holds no model: it has no config.json. Name a folder that save_pretrained wrote."
        )
    return read_json_of(origin, staging / "config.json")


def _refuse_incomplete(staging: Path, origin: _Origin) -> None:
    for index in staging.glob("*.safetensors.index.json"):
        read_index(origin, index, WEIGHTS)
    if any(staging.glob(WEIGHTS)):
        return
    if convertible := origin.matching(PICKLED_WEIGHTS):
        raise ConstrictorError(
            f"{origin} has its weights only as a pickle ({convertible[0]}), which can run foreign code and is not opened. "
            "Set 'convert_pickle: true' beside the model's source to have its tensors, and nothing else, read once by a "
            "confined process and written as safetensors. Or convert it where you trust it: "
            "AutoModel.from_pretrained(...).save_pretrained(...)."
        )
    if pickles := origin.matching(PICKLES):
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
        settings = read_json_of(origin, file) if file.is_file() else {}
        if settings.pop("auto_map", None) is not None:
            file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _refuse_unknown_kind(config: dict[str, Any], origin: _Origin) -> None:
    from transformers import CONFIG_MAPPING

    if str(config.get("model_type")) not in CONFIG_MAPPING:
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


def _settle_tokenizer(staging: Path, origin: _Origin) -> None:
    """Make the tokenizer one that can be used, here and by transformers, and that agrees with the model."""
    if not (staging / TOKENIZER).is_file():
        _convert_tokenizer(staging, origin)
    try:
        tokenizers.Tokenizer.from_file(str(staging / TOKENIZER))
    except Exception as error:  # the library raises plain Exception
        raise ConstrictorError(f"{origin} has no usable tokenizer.json: {error}") from None
    drop_tokens_without_embedding(staging, str(origin))
    settle_padding(staging, str(origin))
    settle_tokenizer_config(staging, str(origin))


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
