"""Messages for pydantic's validation errors: the value, the allowed values, the nearest name."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic_core import ErrorDetails

from constrictor.errors import nearest
from constrictor.study.renamed_keys import renamed
from constrictor.study.settings import LIST, NAME, PLAIN
from constrictor.study.steps.prune import PATTERN
from constrictor.study.study import Study

Place = tuple[str | int, ...]

# The keys whose value selects the settings class of a block.
_SELECTORS = ("stage", "method")

_NAME = "a name consists of letters, digits, '.', '_' and '-', and begins with a letter"
_PATTERNS = {NAME: _NAME, PATTERN: "must be kept:group, for example 2:4"}
_BLOCK = "a mapping, for example {key: value}"
_TYPES = {
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "mapping_type"), _BLOCK),
    **dict.fromkeys(("list_type", "tuple_type"), "a list, for example [a, b]"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "finite_number": "a finite number",
    "string_type": "text (in quotes if YAML reads something else)",
}


def error_message(details: Sequence[ErrorDetails]) -> str:
    """The message for one place, at which several members of a union may have failed.

    Args:
        details: the errors at the place.
    """
    # The intended member is the one of the right type; a number out of range is no misspelt word.
    for lesser in (_TYPES, ("literal_error",)):
        details = [detail for detail in details if detail["type"] not in lesser] or details
    found = _short(details[0]["input"])
    if details[0]["loc"][-1] == "[key]" and details[0]["type"] == "string_type":
        return f"found {found}: {_NAME}."
    if details[0]["type"] in _TYPES:
        return f"found {found}: must be {' or '.join(dict.fromkeys(_TYPES[detail['type']] for detail in details))}."
    return _format_error(details[0])


def _format_error(detail: ErrorDetails) -> str:
    formatter = _FORMATTERS.get(detail["type"])
    if formatter is not None:
        return formatter(detail)
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    message = message if message[:2].isupper() else message[0].lower() + message[1:]
    return f"found {_short(detail['input'])}: {message}."


def _unknown_key(detail: ErrorDetails) -> str:
    key = str(detail["loc"][-1])
    allowed = _allowed_keys(detail["loc"])
    if message := renamed(key, allowed):
        return message
    hint = "A colon must be followed by a space. " if ":" in key else ""
    return f"unknown key. {hint}{nearest(key, allowed)}"


def _key_not_text(detail: ErrorDetails) -> str:
    hint = f" YAML reads 'on' as true. {renamed('on')}" if detail["loc"][-1] == 1 else ""
    return f"keys must be text, in quotes if YAML reads something else.{hint}"


def _unknown_tag(detail: ErrorDetails) -> str:
    if not isinstance(detail["input"], Mapping):
        return f"found {_short(detail['input'])}: must be {_BLOCK}."
    tag = detail["ctx"]["tag"]
    return f"found {tag!r}. {nearest(tag, _alternatives(detail['ctx']['expected_tags']))}"


def _unknown_value(detail: ErrorDetails) -> str:
    allowed = _alternatives(detail["ctx"]["expected"])
    return f"found {_short(detail['input'])}. {nearest(detail['input'], allowed)}"


def _missing(detail: ErrorDetails) -> str:
    if isinstance(detail["loc"][-1], int):  # of a list
        return f"found {_short(detail['input'])}: must have {_entries(detail['loc'][-1] + 1)}."
    return "this key is missing."


def _too_few(detail: ErrorDetails) -> str:
    return f"found {_short(detail['input'])}: must have at least {_entries(detail['ctx']['min_length'])}."


def _too_many(detail: ErrorDetails) -> str:
    return f"found {_short(detail['input'])}: must have at most {_entries(detail['ctx']['max_length'])}."


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _other_pattern(detail: ErrorDetails) -> str:
    return f"found {_short(detail['input'])}: {_PATTERNS[detail['ctx']['pattern']]}."


_FORMATTERS: dict[str, Callable[[ErrorDetails], str]] = {
    "extra_forbidden": _unknown_key,
    "invalid_key": _key_not_text,
    "missing": _missing,
    "union_tag_invalid": _unknown_tag,
    "union_tag_not_found": lambda detail: (
        f"the key {detail['ctx']['discriminator']} is missing: it selects the kind of step."
    ),
    "literal_error": _unknown_value,
    "too_short": _too_few,
    "too_long": _too_many,
    "string_pattern_mismatch": _other_pattern,
}


def key_path(detail: ErrorDetails, raw: Mapping[str, Any]) -> Place:
    """The path of the keys in the file: pydantic's also contains the tags of union members."""
    location = tuple(part for part in detail["loc"] if part not in (PLAIN, LIST))
    place = _resolve(raw, location, detail["type"] == "missing") or location
    if detail["type"] == "union_tag_invalid" and isinstance(detail["input"], Mapping):
        return (*place, detail["ctx"]["discriminator"].strip("'()"))
    return place


def _resolve(here: Any, parts: Place, missing: bool) -> Place | None:
    """The parts that are keys of the study and not tags of union members; None if there is no such place."""
    if not parts:
        return ()
    part, rest = parts[0], parts[1:]
    if (isinstance(here, Mapping) and part in here) or (isinstance(here, list) and part in range(len(here))):
        below = _resolve(here[part], rest, missing)  # type: ignore[index]
        if below is None and not missing and not any(later in here for later in rest):
            below = ()  # of a plain value: the rest are tags
        if below is not None:
            return (part, *below)
    if not isinstance(here, Mapping | list):
        return None
    if rest:
        return _resolve(here, rest, missing)
    return (part,) if missing and isinstance(here, Mapping) else ()


def _alternatives(text: str) -> list[str]:
    """The values in pydantic's "'a', 'b' or 'c'", or in its "4 or 8".

    >>> _alternatives("'a', 'b' or 'c'"), _alternatives("16, 32 or 64")
    (['a', 'b', 'c'], ['16', '32', '64'])
    """
    return text.split("'")[1::2] if "'" in text else text.replace(" or ", ", ").split(", ")


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _allowed_keys(location: Sequence[str | int]) -> list[str]:
    """The keys that are allowed at a location, which ends with the unknown key."""
    models: list[_Member] = [_Member(Study, frozenset())]
    for part in location[:-1]:
        # A part is a tag, which selects members of a union, or a key, which leads to the models below it.
        models = [member for member in models if part in member.tags] or _below(models[0].model, part) or models
    return [info.alias or name for name, info in models[0].model.model_fields.items()]


class _Member(NamedTuple):
    """A model that is allowed at a place, and the tags that select it."""

    model: type[BaseModel]
    tags: frozenset[str]


def _below(model: type[BaseModel], part: str | int) -> list[_Member]:
    """The models that are allowed under a key of a model."""
    for name, info in model.model_fields.items():
        if part in (name, info.alias):
            return list(_models_in(info.annotation, frozenset()))
    return []


def _models_in(annotation: Any, tags: frozenset[str]) -> Iterator[_Member]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kinds = [annotation.model_fields[key].annotation for key in _SELECTORS if key in annotation.model_fields]
        yield _Member(annotation, tags.union(*map(get_args, kinds)))
    elif get_origin(annotation) in (Union, types.UnionType, Annotated, dict, list):
        tags = tags | {part.tag for part in get_args(annotation) if isinstance(part, Tag)}
        for part in get_args(annotation):
            yield from _models_in(part, tags)
