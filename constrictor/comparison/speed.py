"""Speed-ups in the report: with their intervals, marked where the timing was disturbed, beside the baseline's jitter.

A job compares its baselines with a measurement of their own. Here all jobs are known, so that a job is also marked whose
baseline took longer than in the others, on the same kind of machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from constrictor.comparison.row import Row
from constrictor.evaluation.steadiness import MOST_DRIFT

_USUAL = 25
"""Percentile of a baseline's times that is its usual time: right as long as a quarter of the jobs was not disturbed."""


def mark_strays(rows: Sequence[Row]) -> list[Row]:
    """The rows, with a mark at each shape whose baseline took longer than in the other jobs."""
    times: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in rows:
        for shape in _shapes(row):
            for name, milliseconds in shape["baseline_p50_ms"].items():
                times[_measurement(row, shape, name)].append(milliseconds)
    usual = {key: float(np.percentile(found, _USUAL)) for key, found in times.items()}

    def marked(row: Row, shape: dict[str, Any]) -> dict[str, Any]:
        drifts = {
            name: milliseconds / usual[_measurement(row, shape, name)]
            for name, milliseconds in shape["baseline_p50_ms"].items()
        }
        strays = [
            f"{name} took {drift:.2f} times as long as in other jobs"
            for name, drift in drifts.items()
            if drift > MOST_DRIFT
        ]
        return {**shape, "disturbed": [*shape["disturbed"], *strays]}

    return [
        replace(row, latency={**row.latency, "shapes": [marked(row, shape) for shape in _shapes(row)]})
        if row.latency
        else row
        for row in rows
    ]


def _shapes(row: Row) -> list[dict[str, Any]]:
    return row.latency["shapes"] if row.latency else []


def _measurement(row: Row, shape: dict[str, Any], name: str) -> tuple[Any, ...]:
    """What must be equal for the times of two jobs to be comparable."""
    assert row.latency
    machine = row.latency["processor"]
    return machine["name"], machine["cores"], shape["threads"], shape["batch"], shape["length"], name


def format_speedup(shape: dict[str, Any], name: str) -> str:
    """A speed-up with its interval, and a mark where it was disturbed.

    >>> shape = {"speedup": {"torch": 7.128}, "speedup_interval": {"torch": [6.8, 7.51]}, "disturbed": []}
    >>> format_speedup(shape, "torch")
    '×7.13 [6.80, 7.51]'
    """
    low, high = shape["speedup_interval"][name]
    return f"×{shape['speedup'][name]:.2f} [{low:.2f}, {high:.2f}]{' disturbed' if shape['disturbed'] else ''}"


def format_jitter(shape: dict[str, Any]) -> str:
    """How much the baseline, the first of those that take turns, differs from itself in the next round."""
    return f"±{100 * next(iter(shape['baseline_jitter'].values())):.1f} %"


def disturbance_notes(rows: Sequence[Row]) -> list[str]:
    """Paragraphs on what was disturbed, none where nothing was. `make run` searches for the first."""
    found = [
        f"- `{row.recipe}` at {shape['batch']}×{shape['length']} on {_threads(shape)}: {'; '.join(shape['disturbed'])}"
        for row in rows
        for shape in _shapes(row)
        if shape["disturbed"]
    ]
    if any(row.latency["search_disturbed"] for row in rows if row.latency):
        found.append("- the search for the fastest mode of the torch baseline: another mode may be the fastest")
    if not found:
        return []
    return [
        "**The machine was too busy to trust all speeds. What was disturbed:**",
        "\n".join(found),
        "To time a recipe again, delete its `latency.json`, and `fair_baseline.json` if most recipes are marked.",
    ]


def _threads(shape: dict[str, Any]) -> str:
    return "1 thread" if shape["threads"] == 1 else f"{shape['threads']} threads"
