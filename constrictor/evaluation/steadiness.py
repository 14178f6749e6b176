"""How sure a speed-up is: its interval over the rounds, a model's jitter against itself, and what disturbed the timing.

A busy machine does not slow all models alike: threads that meet after every operation wait for the slowest of them. A
speed-up that was measured under a steady load is therefore wrong, however well its rounds agree. Three signs tell, each of
which can be missing: processes that waited for a processor, rounds that disagree, and a baseline that took longer than
in a measurement of its own. A timing with such a sign is taken again, up to a limit, and is marked if the sign remains.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from constrictor.progress import announce
from constrictor.student_t import t_quantile

if TYPE_CHECKING:  # the report needs the limits alone
    from constrictor.evaluation.workers import Shape, Times, Turn

MOST_WAITING = 0.05
"""Share of its time that a process may wait for a processor: it is then slower by about as much."""

MOST_DISAGREEMENT = 1.5
"""Ratio of an interval's ends from which on the rounds disagree."""

MOST_DRIFT = 1.25
"""How much longer than in a measurement of its own a baseline may take: a machine's clock and its caches vary by less."""

PAUSE_SECONDS = 5
"""Pause before a disturbed timing is taken again."""


class Speedup(NamedTuple):
    """How many times as fast a model is as its baseline, with the 95 % interval."""

    value: float
    low: float
    high: float


class Timing(NamedTuple):
    """The turns of all models at a shape.

    Attributes:
        times: the turns by model, the first of which is compared with the others.
        disturbances: what disturbed them, in words; empty if nothing did.
        attempts: how often the shape was timed.
    """

    times: Times
    disturbances: list[str]
    attempts: int


def speedup(baseline: Sequence[float], candidate: Sequence[float], reference: float | None = None) -> Speedup:
    """How many times as fast the candidate is: the median over the rounds of the ratio within a round.

    The interval is Student's for the mean of the ratios' logarithms (Georges, Buytaert and Eeckhout, 2007, section 3.2),
    widened to the median if need be. It leaves out what all rounds of a job share. Where the baseline took somewhat more
    or less than in a measurement of its own, the interval therefore reaches to the ratio that results from that time.

    Args:
        baseline: the baseline's milliseconds, ``(rounds,)``.
        candidate: the candidate's, in the same rounds.
        reference: the baseline's milliseconds in a measurement of its own.

    >>> [round(number, 2) for number in speedup([8.0, 9.0, 8.5], [2.0, 2.25, 2.0])]
    [4.0, 3.74, 4.45]
    """
    logarithms = np.log(np.array(baseline) / np.array(candidate))
    value, mean = float(np.median(logarithms)), float(logarithms.mean())
    half = t_quantile(len(logarithms) - 1) * float(logarithms.std(ddof=1)) / np.sqrt(len(logarithms))
    ends = [value, mean - half, mean + half]
    if reference is not None and 1 / MOST_DRIFT < (drift := reference / float(np.median(baseline))) < MOST_DRIFT:
        ends.append(value + np.log(drift))
    return Speedup(*np.exp([value, min(ends), max(ends)]).tolist())


def jitter(rounds: Sequence[float]) -> float:
    """How much a model's time differs from its own in the next round: the root mean square of the relative difference.

    Neighbours are compared, as the models are that take turns, so that a slow drift counts as little here as there
    (successive differences; von Neumann, 1941).

    Args:
        rounds: milliseconds, ``(rounds,)``.

    >>> round(jitter([10.0, 11.0, 10.0]), 3)
    0.1
    """
    return float(np.expm1(np.sqrt(np.mean(np.diff(np.log(rounds)) ** 2))))


def typical(turns: Iterable[Turn]) -> list[float]:
    """The median call of each turn in milliseconds, ``(rounds,)``."""
    return [float(np.median(turn.milliseconds)) for turn in turns]


def waiting(turns: Iterable[Turn]) -> float:
    """Share of its time that a process waited for a processor, in the median round."""
    return float(np.median([turn.waiting for turn in turns]))


def disturbances(times: Times, references: Mapping[str, float]) -> list[str]:
    """What disturbed a timing, in words; empty if nothing did.

    Args:
        times: the turns by model, the first of which is compared with the others.
        references: milliseconds of the others in a measurement of their own, as far as there is one.
    """
    rounds = {name: typical(turns) for name, turns in times.items()}
    first, *others = rounds
    waited = {name: waiting(turns) for name, turns in times.items()}
    busiest = max(waited, key=lambda name: waited[name])
    found = []
    if waited[busiest] > MOST_WAITING:
        found.append(f"{busiest} waited {100 * waited[busiest]:.0f} % of its time for a processor")
    for name in others:
        ratio = speedup(rounds[name], rounds[first])
        if ratio.high > MOST_DISAGREEMENT * ratio.low:
            found.append(f"rounds disagree: ×{ratio.low:.2f} to ×{ratio.high:.2f} against {name}")
        if name in references and (drift := float(np.median(rounds[name])) / references[name]) > MOST_DRIFT:
            found.append(f"{name} took {drift:.2f} times as long as alone")
    return found


def until_steady(
    measure: Callable[[Sequence[Shape]], dict[Shape, Times]],
    shapes: Sequence[Shape],
    references: Mapping[Shape, Mapping[str, float]],
    attempts: int,
) -> dict[Shape, Timing]:
    """Time all shapes, and those that were disturbed again.

    The first undisturbed attempt counts, whatever its result, or else the fastest, since disturbances only slow.

    Args:
        measure: times some shapes.
        shapes: the shapes.
        references: for each shape, milliseconds of the baselines in a measurement of their own.
        attempts: how often a shape is timed at most.
    """
    found: dict[Shape, Timing] = {}
    pending = list(shapes)
    for attempt in range(1, attempts + 1):
        for shape, times in measure(pending).items():
            timing = Timing(times, disturbances(times, references.get(shape, {})), attempt)
            kept = min(timing, found.get(shape, timing), key=_rank)
            found[shape] = kept._replace(attempts=attempt)
        pending = [shape for shape in pending if found[shape].disturbances]
        if not pending:
            break
        what = f"{len(pending)} of {len(shapes)} timings disturbed (first: {found[pending[0]].disturbances[0]})"
        if attempt < attempts:
            announce(f"{what}; taken again, {attempt + 1} of {attempts}")
            time.sleep(PAUSE_SECONDS)
        else:
            announce(f"{what} after {attempts} attempts: the report marks them")
    return found


def _rank(timing: Timing) -> tuple[bool, float]:
    logarithms = [np.log(typical(turns)).mean() for turns in timing.times.values()]
    return bool(timing.disturbances), float(np.mean(logarithms))
