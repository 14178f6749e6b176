"""Read a study and say, in one message, everything that is wrong with it: file, line, key, found, allowed, nearest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import yaml
from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from constrictor.errors import ConstrictorError, nearest
from constrictor.study.check import problems
from constrictor.study.grid import expand_grids
from constrictor.study.settings import PLAIN
from constrictor.study.study import Study

# The keys whose value says which model a block is.
_KINDS = ("stage", "method")


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
        found = [(_key_path(detail, raw), _say(detail)) for detail in error.errors()]
    except ConstrictorError as error:
        path, _, message = str(error).partition(": ")
        found = [(tuple(path.split(".")), message)]
    else:
        found = problems(study)
        if not found:
            return study
    lines = [f"  {_place(path, files)}{'.'.join(map(str, path)) or 'study'}: {message}" for path, message in found]
    count = "one mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    raise ConstrictorError("\n".join([f"The study has {count}:", *lines]))


def _with_base(raw: Mapping[str, Any], files: Sequence[str | Path]) -> tuple[Mapping[str, Any], Sequence[str | Path]]:
    """Lay a study that ``extends`` another over it; the path is relative to the file that says so."""
    base = raw.get("extends")
    if base is None:
        return raw, files
    file = (Path(files[-1]).parent if files else Path()) / str(base)
    try:
        below = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConstrictorError(f"extends: the study {file} cannot be read: {error.strerror}") from None
    below, base_files = _with_base(below, [file])
    return _laid_over(below, raw), [*base_files, *files]


def _with_on(value: Any) -> Any:
    """Give the key ``on`` back its name: YAML 1.1, which Snakemake reads, takes it for the truth value."""
    if isinstance(value, Mapping):
        return {"on" if key is True else key: _with_on(item) for key, item in value.items()}
    return value


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


def _key_path(detail: ErrorDetails, raw: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The error's place as the user wrote it: pydantic puts the names of union members in between."""
    location = tuple(part for part in detail["loc"] if part != PLAIN)
    place = _resolve(raw, location, detail["type"] == "missing") or location
    if detail["type"] == "union_tag_invalid":
        return (*place, detail["ctx"]["discriminator"].strip("'()"))
    return place


def _resolve(here: Any, parts: tuple[str | int, ...], missing: bool) -> tuple[str | int, ...] | None:
    """The parts that are keys of the study and no tags of union members; None if there is no such place."""
    if not parts:
        return ()
    part, rest = parts[0], parts[1:]
    if (isinstance(here, Mapping) and part in here) or (isinstance(here, list) and isinstance(part, int)):
        below = _resolve(here[part], rest, missing)  # type: ignore[index]
        if below is not None:
            return (part, *below)
    if not isinstance(here, Mapping):
        return None
    if rest:
        return _resolve(here, rest, missing)
    return (part,) if missing else ()


def _say(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key. {nearest(detail['loc'][-1], _allowed_keys(detail['loc']))}"
    if kind == "missing":
        return "this key is missing."
    if kind == "union_tag_invalid":
        return f"found {context['tag']!r}. {nearest(context['tag'], _quoted(context['expected_tags']))}"
    if kind == "union_tag_not_found":
        return f"the key {context['discriminator']} is missing: it says which kind of step this is."
    if kind == "literal_error":
        return f"found {detail['input']!r}. {nearest(detail['input'], _quoted(context['expected']))}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"found {_short(detail['input'])}: {message[0].lower()}{message[1:]}."


def _quoted(text: str) -> list[str]:
    """The names in pydantic's "'a', 'b' or 'c'"."""
    return text.split("'")[1::2]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _allowed_keys(location: Sequence[str | int]) -> list[str]:
    """The keys of the model at a location, which ends with the unknown one."""
    models: list[_Member] = [_Member(Study, frozenset())]
    for part in location[:-1]:
        # A part is a tag that picks some members of a union, or a key that leads to the models below it.
        models = [member for member in models if part in member.tags] or _below(models[0].model, part) or models
    return [info.alias or name for name, info in models[0].model.model_fields.items()]


class _Member(NamedTuple):
    """A model that may stand at a place, and the tags that pick it."""

    model: type[BaseModel]
    tags: frozenset[str]


def _below(model: type[BaseModel], part: str | int) -> list[_Member]:
    """The models that may stand under a key of a model."""
    for name, info in model.model_fields.items():
        if part in (name, info.alias):
            return list(_models_in(info.annotation, frozenset()))
    return []


def _models_in(annotation: Any, tags: frozenset[str]) -> Iterator[_Member]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kinds = [annotation.model_fields[key].annotation for key in _KINDS if key in annotation.model_fields]
        yield _Member(annotation, tags.union(*map(get_args, kinds)))
    else:
        tags = tags | {part.tag for part in get_args(annotation) if isinstance(part, Tag)}
        for part in get_args(annotation):
            yield from _models_in(part, tags)


def _place(path: Sequence[str | int], files: Sequence[str | Path]) -> str:
    """``file:line: `` of the deepest key of a path, in the last file that has its first key."""
    best, deepest = (f"{files[-1]}: " if files else ""), 0
    for file in reversed(files):
        try:
            node = yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, yaml.YAMLError):
            continue
        line, depth = _line_of(node, path)
        if depth > deepest:
            best, deepest = f"{file}:{line}: ", depth
    return best


def _line_of(node: yaml.Node | None, path: Sequence[str | int]) -> tuple[int, int]:
    """Line of the deepest part of a path that a YAML tree holds, and how many parts it holds."""
    line = depth = 0
    for part in path:
        if isinstance(node, yaml.MappingNode):
            match = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if match is None:
                break
            line, node = match[0].start_mark.line + 1, match[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
        depth += 1
    return line, depth
