"""Time calls as fairly as one process can: after a pause, in turn, and without the call that wakes up caches and threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

SETTLE_SECONDS = 0.03
"""Pause before a model is timed: ONNX Runtime's threads spin for some milliseconds after a call, and would steal time."""

VISIT_SECONDS = 0.05

LONG_CALL_MS = 100
"""From here on, it does not matter to a call that caches and threads wake up."""

Name = TypeVar("Name")
Call = Callable[[], object]


def milliseconds(calls: Sequence[Call], seconds: float) -> list[float]:
    """Milliseconds of each call: all are made one after another, once at least, and again for about so many seconds."""
    times: list[float] = []
    while not times or sum(times) < seconds * 1000:
        for call in calls:
            start = time.perf_counter()
            call()
            times.append((time.perf_counter() - start) * 1000)
    return times


def milliseconds_in_turn(
    calls: Mapping[Name, Call], rounds: int, typical: Callable[[list[float]], float] = np.median
) -> dict[Name, np.ndarray]:
    """Time several calls in turn, so that a drift of the machine meets all of them alike.

    Args:
        calls: what to time, by name.
        rounds: how often each has its turn; a turn is an untimed call, then calls for some 50 ms, at least one.
        typical: the time that stands for those of a turn.

    Returns:
        By name, the milliseconds of a call in each round, ``(rounds,)``.
    """
    found: dict[Name, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(SETTLE_SECONDS)
            (first,) = milliseconds([call], 0)
            found[name].append(first if first >= LONG_CALL_MS else float(typical(milliseconds([call], VISIT_SECONDS))))
    return {name: np.array(times) for name, times in found.items()}


def speed_ratio(baseline: Sequence[np.ndarray], candidate: Sequence[np.ndarray]) -> float:
    """How many times as fast the candidate is: the median over the rounds, then the geometric mean over the shapes.

    Args:
        baseline: for each shape, milliseconds in each round.
        candidate: likewise.

    >>> round(speed_ratio([np.array([4.0, 9.0, 4.0]), np.array([8.0])], [np.array([2.0, 2.0, 2.0]), np.array([1.0])]), 6)
    4.0
    """
    ratios = [np.median(old / new) for old, new in zip(baseline, candidate, strict=True)]
    return float(np.exp(np.mean(np.log(ratios))))
