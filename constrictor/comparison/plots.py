"""The two pictures of the comparison: quality against latency, and every model stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from constrictor.comparison.intervals import Interval
from constrictor.comparison.pareto import pareto_front
from constrictor.comparison.row import Row
from constrictor.files.writing import atomic_file
from constrictor.study.lineage import steps_of

INK, QUIET, ACCENT, FRONT = "#1b2733", "#8a97a3", "#2b6cb0", "#c05621"

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": "#e6eaee",
    "axes.axisbelow": True,
    "svg.hashsalt": "constrictor",  # the same numbers give the same file
}


def plot_quality_latency(rows: Sequence[Row], metric: str, margin: float, file: Path) -> None:
    """Quality on test against latency at the first shape; area is file size, the line the Pareto front.

    Args:
        rows: the models; those that were not timed are left out.
        metric: name of the metric.
        margin: the non-inferiority margin, drawn below the baseline.
        file: SVG file to write.
    """
    found = _at_first_shape(rows)
    timed = [row for row in rows if row.lineage in found]
    if not timed:
        figure = Figure(figsize=(8.5, 1))
        figure.text(0.05, 0.5, "No model was timed.")
        return _save(figure, file)
    latencies = [found[row.lineage]["p50_ms"] for row in timed]
    qualities = [100 * row.test.value for row in timed]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.5, 5.2), layout="constrained")
        axes = figure.add_subplot()
        axes.errorbar(
            latencies, qualities, yerr=_error_bars([row.test for row in timed]),
            fmt="none", ecolor="#cbd3da", lw=1.2, zorder=0.9,
        )  # fmt: skip
        front = pareto_front(latencies, qualities)
        axes.step(
            [latencies[index] for index in front], [qualities[index] for index in front],
            where="post", color=FRONT, lw=1.4, label="Pareto front",
        )  # fmt: skip
        colours = [FRONT if index in front else ACCENT for index in range(len(timed))]
        axes.scatter(latencies, qualities, s=[_area(row) for row in timed], c=colours, alpha=0.75, lw=0)
        for row in timed:
            if row.against_baseline is None:
                axes.axhline(100 * row.test.value, color=QUIET, lw=0.8, ls=":")
                axes.axhline(100 * (row.test.value - margin), color=QUIET, lw=0.8, ls="--", label="margin")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
        axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        axes.set_xticks(_ticks(min(latencies), max(latencies)))
        axes.set_xlim(min(latencies) / 1.3, max(latencies) * 1.8)
        _label_points(
            axes,
            latencies,
            qualities,
            [f"{row.recipe or ''}{_disturbed(found[row.lineage])}" for row in timed],
        )
        shape = found[timed[0].lineage]
        length = "the task's inputs" if shape["length"] == "task" else f"{shape['length']} tokens"
        axes.set_xlabel(f"median latency in ms at batch {shape['batch']}, {length} (log scale; left is faster)")
        axes.set_ylabel(f"{metric} on test in %, with 95 % interval for {timed[0].intervals_for}")
        axes.set_title("Quality against latency; area is the size of the file", loc="left", fontsize=11)
        axes.legend(frameon=False, loc="lower right")
        _save(figure, file)


def _at_first_shape(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """What was measured at the first shape, by lineage; models that do not take that length are left out."""
    first = next((row.latency["shapes"][0] for row in rows if row.latency), None)
    if first is None:
        return {}
    every = {row.lineage: row.timed_at(first["batch"], first["length"]) for row in rows}
    return {lineage: shape for lineage, shape in every.items() if shape}


def _area(row: Row) -> float:
    """Square points of a model's mark: 9 a megabyte of its files, and no mark smaller than can be seen."""
    return max(20, row.bytes / 1e6 * 9)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 in every decade that the data touch."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    return [tick for tick in ticks if low / 1.6 <= tick <= high * 1.6]


def _label_points(axes: Axes, x: Sequence[float], y: Sequence[float], labels: Sequence[str]) -> None:
    """Write a name beside each point, moved down until it is clear of the names placed before it."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    width, height = np.log(right / left) / 6, (high - low) / 26  # room for a name, in the axes' units
    placed: list[tuple[float, float]] = []
    for index in np.lexsort((x, [-value for value in y])):
        level = y[index]
        while any(abs(np.log(x[index] / at)) < width and abs(level - other) < height for at, other in placed):
            level -= height / 4
        placed.append((x[index], level))
        axes.annotate(
            labels[index],
            (x[index], y[index]),
            (x[index] * (right / left) ** 0.015, level),
            fontsize=9,
            va="center",
            bbox={"facecolor": "white", "alpha": 0.7, "lw": 0, "pad": 0.5},  # lines pass below the names
            arrowprops={"arrowstyle": "-", "color": QUIET, "lw": 0.5} if level != y[index] else None,
        )


def plot_stages(rows: Sequence[Row], metric: str, file: Path) -> None:
    """Every model in the order of its steps: quality with its interval, size of the file, speed-up where it was timed.

    Args:
        rows: the models.
        metric: name of the metric.
        file: SVG file to write.
    """
    ordered = sorted(rows, key=lambda row: steps_of(row.lineage))
    positions = np.arange(len(ordered))[::-1]
    baseline = next(row for row in rows if row.against_baseline is None)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 1.1 + 0.34 * len(ordered)), layout="constrained")
        quality, size, speed = figure.subplots(1, 3, sharey=True, width_ratios=[1.5, 1, 1])
        values = [100 * row.test.value for row in ordered]
        quality.axvline(100 * baseline.test.value, color=QUIET, lw=0.8, ls=":")
        quality.errorbar(
            values,
            positions,
            xerr=_error_bars([row.test for row in ordered]),
            fmt="o",
            ms=5,
            color=ACCENT,
            ecolor="#a9bccd",
        )
        quality.set_yticks(positions, [_indented(row.lineage) for row in ordered], family="monospace")
        quality.set_xlabel(f"{metric} on test in %, 95 % interval for {baseline.intervals_for}")
        _bar(size, positions, [row.bytes / 1e6 for row in ordered], "{:.1f}")
        size.set_xlabel("file in MB")
        found = _at_first_shape(rows)
        for position, row in zip(positions, ordered, strict=True):
            if row.lineage in found:
                _speed_bar(speed, position, found[row.lineage])
        speed.margins(x=0.18)
        speed.grid(axis="y", visible=False)
        speed.set_xlabel("speed against the baseline")
        figure.suptitle("Stage by stage: what each step changed", x=0.01, ha="left", fontsize=11)
        _save(figure, file)


def _indented(lineage: str) -> str:
    """A tree's entry: the step's name, pushed in by its depth, padded so that all start at one line."""
    names = steps_of(lineage)
    return f"{'  ' * (len(names) - 1) + names[-1]:<22}"


def _bar(axes: Axes, positions: np.ndarray, values: Sequence[float], label: str) -> None:
    axes.barh(positions, values, height=0.55, color="#9dbad5")
    for position, value in zip(positions, values, strict=True):
        if value:
            axes.annotate(
                label.format(value), (value, position), (3, 0), textcoords="offset points", va="center", fontsize=9
            )
    axes.margins(x=0.18)
    axes.grid(axis="y", visible=False)


def _speed_bar(axes: Axes, position: float, shape: dict[str, Any]) -> None:
    """A speed-up with its interval."""
    value, (low, high) = (next(iter(shape[key].values())) for key in ("speedup", "speedup_interval"))
    axes.barh(position, value, height=0.55, color="#9dbad5")
    axes.errorbar(value, position, xerr=[[value - low], [high - value]], fmt="none", ecolor=QUIET, lw=1.2)
    label = f"×{value:.1f}{_disturbed(shape)}"
    axes.annotate(label, (high, position), (3, 0), textcoords="offset points", va="center", fontsize=9)


def _disturbed(shape: dict[str, Any]) -> str:
    """The mark of a timing that was disturbed."""
    return " (disturbed)" if shape["disturbed"] else ""


def _error_bars(found: Sequence[Interval]) -> np.ndarray:
    """Distances from the values to the ends of their intervals, in percent: ``(2, models)``."""
    return 100 * np.array([[item.value - item.low for item in found], [item.high - item.value for item in found]])


def _save(figure: Figure, file: Path) -> None:
    with atomic_file(file) as staging:
        figure.savefig(staging, format="svg", metadata={"Date": None})
