"""Read a study: lay its files over one another, check the whole, and list in one message all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from constrictor.errors import ConstrictorError
from constrictor.study.check import problems
from constrictor.study.grid import expand_grids
from constrictor.study.mistakes import mistakes_in, place_of
from constrictor.study.study import Study


def read_study(raw: Mapping[str, Any], files: Sequence[str | Path] = ()) -> Study:
    """Turn the mapping that Snakemake has read into a checked study.

    Args:
        raw: the configuration.
        files: the files that it came from, the last one winning: messages name the one that holds the key.

    Raises:
        ConstrictorError: naming every mistake, a line each.
    """
    try:
        raw, files = _with_base(raw, files)
        raw = _with_one_source(_with_on(raw))
        raw = expand_grids(dict(raw))
        study = Study.model_validate(raw)
    except ValidationError as error:
        found = mistakes_in(error, raw)
    except ConstrictorError as error:
        path, _, message = str(error).partition(": ")
        found = [(tuple(path.split(".")), message)]
    else:
        found = problems(study)
        if not found:
            return study
    lines = [f"  {place_of(path, files)}{'.'.join(map(str, path)) or 'study'}: {message}" for path, message in found]
    count = "one mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    raise ConstrictorError("\n".join([f"The study has {count}:", *lines]))


def _with_base(
    raw: Mapping[str, Any], files: Sequence[str | Path], below: tuple[Path, ...] = ()
) -> tuple[Mapping[str, Any], Sequence[str | Path]]:
    """Lay a study that ``extends`` another over it; the path is relative to the file that says so.

    Args:
        raw: the study.
        files: the files that it came from.
        below: the studies that are laid under it already.
    """
    base = raw.get("extends")
    if base is None:
        return raw, files
    file = (Path(files[-1]).parent if files else Path()) / str(base)
    if file.resolve() in below:
        raise ConstrictorError(f"extends: the study {file} extends itself. Leave 'extends' out of one of the files.")
    found, base_files = _with_base(_read_base(file), [file], (*below, file.resolve()))
    merged = _laid_over(found, {key: value for key, value in raw.items() if key != "extends"})
    return merged, [*base_files, *files]


def _read_base(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConstrictorError(
            f"extends: the study {file} cannot be read: {error.strerror}. The path is relative to the file that names it."
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConstrictorError(f"extends: the study {file} is no YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(found, dict):
        raise ConstrictorError(f"extends: the study {file} holds no keys: it has to be a mapping, as config.yaml is.")
    return found


def _with_on(value: Any) -> Any:
    """Give the key ``on`` back its name: YAML 1.1, which Snakemake reads, takes it for the truth value."""
    if isinstance(value, Mapping):
        return {"on" if key is True else key: _with_on(item) for key, item in value.items()}
    return [_with_on(item) for item in value] if isinstance(value, list) else value


_SOURCE_KEYS = {
    "package": {"package", "file", "folder"},
    "path": {"path"},
    "hub": {"hub", "config", "split", "revision"},
    "train": {"train", "validation", "test"},
    "layers": {"layers"},  # a student is some of its teacher's layers, or a model of its own
    "model": {"model"},
}


def _with_one_source(value: Any) -> Any:
    """Where a source or student was laid over one of another kind (`--config`, `extends`), only the later one stays.

    >>> _with_one_source({"hub": "stanfordnlp/sst2", "split": "train", "path": "train.tsv"})
    {'path': 'train.tsv'}
    """
    if isinstance(value, list):
        return [_with_one_source(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    kinds = [key for key in value if key in _SOURCE_KEYS]  # merging puts later keys behind earlier ones
    others = set().union(*(_SOURCE_KEYS[kind] for kind in kinds[:-1])) - _SOURCE_KEYS[kinds[-1]] if kinds else set()
    return {key: _with_one_source(item) for key, item in value.items() if key not in others}


def load_study(*files: str | Path, changes: Mapping[str, Any] | None = None) -> Study:
    """Read a study from YAML files, later ones laid over earlier ones, as Snakemake does with `--configfile`.

    Args:
        files: the files.
        changes: what is laid over them, as Snakemake does with `--config`.
    """
    raw: dict[str, Any] = {}
    for file in files:
        with open(file, encoding="utf-8") as stream:
            raw = _laid_over(raw, yaml.safe_load(stream) or {})
    return read_study(_laid_over(raw, changes or {}), files)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A new mapping; both stay as they are, since an anchor in YAML (`&long`) is one object in several places.

    >>> _laid_over({"cola": {"metric": "mcc"}, "sst2": {}}, {"cola": None, "wnli": {}})
    {'sst2': {}, 'wnli': {}}
    """
    merged = {key: value for key, value in below.items() if key not in above or above[key] is not None}
    for key, value in above.items():
        if value is None and key in below:
            continue
        under = merged.get(key)
        merged[key] = _laid_over(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged
