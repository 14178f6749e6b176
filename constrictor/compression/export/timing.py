"""Time several calls in turn, as fairly as one process can."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from constrictor.machine import SETTLE_SECONDS

VISIT_SECONDS = 0.05


def milliseconds_in_turn(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Time several calls in turn, so that a drift of the machine meets all of them alike.

    Args:
        calls: what to time, by name.
        rounds: how often each has its turn; a turn is an untimed call, then calls for some 50 ms, at least one.

    Returns:
        By name, the median milliseconds a call in each round, ``(rounds,)``.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(SETTLE_SECONDS)
            found[name].append(_median_milliseconds(call))
    return {name: np.array(times) for name, times in found.items()}


def _median_milliseconds(call: Callable[[], object]) -> float:
    first = _seconds(call)
    if first > 2 * VISIT_SECONDS:  # a long call does not notice that caches and threads wake up
        return first * 1000
    times: list[float] = []
    while sum(times) < VISIT_SECONDS:
        times.append(_seconds(call))
    return float(np.median(times)) * 1000


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


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
