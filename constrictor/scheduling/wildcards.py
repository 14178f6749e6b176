"""Wildcards: the values that Snakemake found in a path, and the patterns that constrain them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Protocol, cast


class Wildcards(Protocol):
    """The values by name, as attributes: which there are depends on the rule."""

    def __getattr__(self, name: str) -> str: ...


def wildcards_of(named: Mapping[str, str]) -> Wildcards:
    """Wildcards from a mapping, outside of Snakemake.

    >>> wildcards_of({"task": "reviews"}).task
    'reviews'
    """
    return cast(Wildcards, SimpleNamespace(**named))


def one_of(names: Iterable[str]) -> str:
    """Constraint: one of these names, so that no rule makes a file of another.

    >>> one_of(["teacher", "kd-alpha0.5"])
    'teacher|kd\\\\-alpha0\\\\.5'
    """
    return "|".join(map(re.escape, names))


def lineages_ending_in(steps: Iterable[str]) -> str:
    """Constraint: the lineages that end in one of these steps; matches nothing if there is none.

    >>> re.fullmatch(lineages_ending_in(["kd", "mag"]), "teacher/kd").group()
    'teacher/kd'
    >>> lineages_ending_in([])
    '(?!)'
    """
    names = one_of(steps)
    return rf"(?:[^/]+/)*(?:{names})" if names else "(?!)"
