"""What is wrong with a study, as its author sees it: file and line, key, what was found, what is allowed, the nearest name."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from constrictor.errors import nearest
from constrictor.study.check import Problem
from constrictor.study.settings import PLAIN
from constrictor.study.study import Study

# The keys whose value says which model a block is.
_KINDS = ("stage", "method")
_LONGEST_VALUE = 60  # characters of a found value in a message


def mistakes_in(error: ValidationError, raw: Mapping[str, Any]) -> list[Problem]:
    """What pydantic found, as key paths and messages.

    Args:
        error: pydantic's error.
        raw: the study that it is about.
    """
    return [(_key_path(detail, raw), _say(detail)) for detail in error.errors()]


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
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


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
    elif get_origin(annotation) in (Union, types.UnionType, Annotated, dict, list):
        tags = tags | {part.tag for part in get_args(annotation) if isinstance(part, Tag)}
        for part in get_args(annotation):
            yield from _models_in(part, tags)


def place_of(path: Sequence[str | int], files: Sequence[str | Path]) -> str:
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
