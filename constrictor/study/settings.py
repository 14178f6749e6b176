"""The base of every settings model: unknown keys are refused, values never change after reading."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """A frozen block of the study file. Field descriptions become the schema and the reference page."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def canonical(self) -> str:
        """This block as JSON with sorted keys and all defaults: equal text means equal settings."""
        return canonical_json(self.model_dump(mode="json", exclude_none=True, by_alias=True))


def canonical_json(value: Any) -> str:
    """JSON whose text does not depend on key order, so that Snakemake compares meaning and not spelling.

    >>> canonical_json({"b": 0.50, "a": 1})
    '{"a":1,"b":0.5}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def by_key(**tags: str) -> Callable[[Any], str | None]:
    """Tell union members apart by a key that only one of them has: ``by_key(package="package", ...)``.

    Args:
        tags: the distinguishing key, mapped to the tag of its model.
    """

    def tag_of(value: Any) -> str | None:
        keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
        return next((tag for key, tag in tags.items() if key in keys), None)

    return tag_of


PLAIN, MAPPING, LIST = "a plain value", "a mapping", "a list"


def plain_or_mapping(value: Any) -> str:
    """Tell the members of a union apart of which one is written as a mapping: the tags are PLAIN and MAPPING."""
    return MAPPING if isinstance(value, dict | Settings) else PLAIN


def plain_or_list(value: Any) -> str:
    """The same where one member is written as a list."""
    return LIST if isinstance(value, list) else PLAIN


def each_once(values: list[Any]) -> list[Any]:
    """A list, unless something stands twice in it.

    Raises:
        ValueError: naming it.
    """
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} stands twice in it; name each once")
    return values


Once = AfterValidator(each_once)
"""What may stand in a list only once."""


# A name becomes a folder, a file or a part of a target, so it holds no slash and does not start with a dot or a dash.
NAME = r"^[A-Za-z][A-Za-z0-9_.-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=80)]

Share = Annotated[float, Field(gt=0, lt=1)]
"""A share strictly between 0 and 1."""
