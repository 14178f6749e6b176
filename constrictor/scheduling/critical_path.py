"""How long a plan takes with unlimited resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Link(NamedTuple):
    """A job as part of a chain: seconds, and the files that it reads and writes."""

    seconds: float
    reads: Sequence[str]
    writes: Sequence[str]


def critical_path(links: Iterable[Link]) -> float:
    """Seconds of the longest chain of jobs of which each waits for the one before.

    >>> critical_path([Link(5, ["b"], ["c"]), Link(3, ["a"], ["b"]), Link(7, ["a"], ["d"])])
    8
    """
    writers = {file: link for link in links for file in link.writes}
    ends: dict[str, float] = {}

    def end_of(file: str) -> float:
        if file not in ends:
            link = writers.get(file)
            ends[file] = link.seconds + max(map(end_of, link.reads), default=0) if link else 0
        return ends[file]

    return max(map(end_of, writers), default=0)
