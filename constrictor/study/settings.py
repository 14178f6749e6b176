"""Base class of all settings: unknown keys are refused, and instances are immutable."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class Settings(BaseModel):
    """An immutable block of the study file. Field descriptions become the schema and the reference page."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    topic: ClassVar[str] = ""
    """What the keys of a base class that several blocks share are about: its heading on the reference page."""

    def canonical(self) -> str:
        """This block as JSON with sorted keys and all defaults: equal text means equal settings."""
        return canonical_json(self.model_dump(mode="json", exclude_none=True, by_alias=True))


def canonical_json(value: Any) -> str:
    """JSON text that does not depend on the order of keys, so that Snakemake compares values and not notation.

    >>> canonical_json({"b": 0.50, "a": 1})
    '{"a":1,"b":0.5}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def by_key(**tags: str) -> Callable[[Any], str | None]:
    """Discriminate the members of a union by a key that only one of them has: ``by_key(package="package", ...)``.

    Args:
        tags: the distinguishing key, mapped to the tag of its model.
    """

    def tag_of(value: Any) -> str | None:
        keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
        return next((tag for key, tag in tags.items() if key in keys), None)

    return tag_of


PLAIN, MAPPING, LIST = "a plain value", "a mapping", "a list"


def plain_or_mapping(value: Any) -> str:
    """Discriminate a mapping from a plain value: the tags are MAPPING and PLAIN."""
    return MAPPING if isinstance(value, dict | Settings) else PLAIN


def plain_or_list(value: Any) -> str:
    """Discriminate a list from a plain value: the tags are LIST and PLAIN."""
    return LIST if isinstance(value, list) else PLAIN


def each_once(values: list[Any]) -> list[Any]:
    """A list without duplicates.

    Raises:
        ValueError: if there is a duplicate.
    """
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is listed twice; list each once")
    return values


Once = AfterValidator(each_once)
"""Validator of lists without duplicates."""


# A name becomes a folder, a file or part of a target, so it contains no slash and does not start with a dot or a dash.
NAME = r"^[A-Za-z][A-Za-z0-9_.-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=80)]


def _as_written(value: Any) -> Any:
    """A name as written in the data: numbers are accepted, but YAML's booleans are ambiguous."""
    if isinstance(value, bool):
        raise ValueError(f"YAML reads this name as {str(value).lower()}. Put it in quotes, as written in the data")
    return str(value) if isinstance(value, int | float) else value


Label = Annotated[str, BeforeValidator(_as_written, json_schema_input_type=str | int)]
"""The name of a class."""

Column = Annotated[str, BeforeValidator(_as_written, json_schema_input_type=str | int)]
"""The name of a column; or its number, if a file has no header."""

Share = Annotated[float, Field(gt=0, lt=1)]
"""A fraction strictly between 0 and 1."""
