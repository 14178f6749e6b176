"""The comparison as tables in Markdown, no wider than a terminal: the numbers that decide, and how to read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from constrictor.comparison.differences import Difference
from constrictor.comparison.row import Comparison, Row
from constrictor.comparison.speed import disturbance_notes, format_jitter, format_speedup
from constrictor.comparison.table_layout import Column, tables, wrapped
from constrictor.comparison.table_legends import cost_legend, quality_legend
from constrictor.tasks.manifest import TaskManifest


def table_markdown(rows: Sequence[Row], settings: Comparison, task: TaskManifest, name: str) -> str:
    """The recipes with what decides between them: quality, then cost, and below each how to read it."""
    shown = [row for row in rows if row.recipe]
    measured = next((row.latency for row in shown if row.latency), None)
    parts = [
        f"## {name}",
        *tables(_quality_columns(settings, task.metric, shown), shown),
        wrapped(quality_legend(shown, settings, task)),
    ]
    rejected = [f"- `{row.recipe or row.lineage}` {row.rejected}" for row in rows if row.rejected]
    if rejected:
        parts.append("\n".join(rejected))
    if measured:
        notes = ["\n".join(map(wrapped, note.splitlines())) for note in disturbance_notes(shown)]
        parts += [
            *tables(_cost_columns(measured), shown),
            wrapped(cost_legend(measured, settings.replicates)),
            *notes,
        ]
    return "\n\n".join(parts) + "\n"


MEDIAN_FROM = 5  # replicates: below, the median adds nothing to the mean; published numbers are often medians of five


def _quality_columns(settings: Comparison, metric: str, rows: Sequence[Row]) -> list[list[Column]]:
    """The columns that decide, and further ones."""
    decide: list[Column] = [
        (
            f"test {metric}",
            lambda row: f"{100 * row.test.value:.2f}" + (_spread_of_folds(row) if settings.folds else ""),
        ),
        (f"vs. {settings.baseline}", lambda row: _points(row.against_baseline)),
        ("non-inferior", lambda row: "rejected" if row.rejected else row.verdict(settings.margin)),
    ]
    if settings.control:
        decide.append((f"vs. {settings.control}", lambda row: _points(row.against_control)))
    further: list[Column] = [("p (Holm)", lambda row: _format_p(row.against_baseline))]
    if any(row.tuned is not None for row in rows):
        further.append(("tuned threshold", lambda row: "" if row.tuned is None else f"{100 * row.tuned:.2f}"))
    if len(settings.replicates) >= MEDIAN_FROM and not settings.folds:
        further.append((f"median of {len(settings.replicates)}", lambda row: f"{100 * row.median:.2f}"))
    further += [_extra_test_set_column(part, metric) for part in rows[0].extra_test_sets]
    origin: list[Column] = [
        ("steps", lambda row: row.lineage),
        ("agreement with parent", lambda row: "" if row.agreement is None else f"{100 * row.agreement:.1f} %"),
    ]
    return [decide, *([column] for column in further), origin]


def _extra_test_set_column(part: str, metric: str) -> Column:
    return f"{part} {metric}", lambda row: f"{100 * row.extra_test_sets[part][metric]:.2f}"


def _cost_columns(measured: dict[str, Any]) -> list[list[Column]]:
    size: list[Column] = [
        (
            "file",
            lambda row: f"{row.bytes / 1e6:.1f} MB" + (" (adapter, without its model)" if row.manifest.adapter else ""),
        ),
        ("parameters", lambda row: f"{row.manifest.parameters / 1e6:.1f} M"),
        (
            "zeros",
            lambda row: f"{100 * row.manifest.sparsity:.0f} %" + (" (sparse, not faster)" if row.sparse_only else ""),
        ),
        ("peak memory", _of_latency(lambda found: f"{found['peak_memory_bytes'] / 1e6:.0f} MB")),
        ("cold start", _of_latency(lambda found: f"{found['cold_start_seconds']:.2f} s")),
    ]
    return [size, *_speed_columns(measured)]


def _speed_columns(measured: dict[str, Any]) -> list[list[Column]]:
    """Latency at the first shape, throughput at the last, and the speed-ups at both; on the study's first number of threads."""
    shapes = [shape for shape in measured["shapes"] if shape["threads"] == measured["shapes"][0]["threads"]]
    first, last = shapes[0], shapes[-1]
    latency: Column = (
        f"p50 / p95 at {_format_shape(first)}",
        _at(first, lambda found: "{p50_ms:.2f} / {p95_ms:.2f} ms".format(**found)),
    )
    throughput: Column = (
        f"examples/s at {_format_shape(last)}",
        _at(last, lambda found: "{examples_per_second:.0f}".format(**found)),
    )
    return [[latency, *_speedups(first)], [throughput, *(_speedups(last) if last is not first else [])]]


def _format_shape(shape: dict[str, Any]) -> str:
    return f"{shape['batch']}×{shape['length']}"


def _speedups(shape: dict[str, Any]) -> list[Column]:
    def column(name: str) -> Column:
        return f"× {name} at {_format_shape(shape)}", _at(shape, lambda found: format_speedup(found, name))

    return [*map(column, shape["speedup"]), (f"jitter at {_format_shape(shape)}", _at(shape, format_jitter))]


def _at(shape: dict[str, Any], cell: Callable[[dict[str, Any]], str]) -> Callable[[Row], str]:
    """A cell from what was measured at a shape; empty where it was not, as of a model of a shorter fixed length."""

    def find(row: Row) -> str:
        found = row.timed_at(shape["batch"], shape["length"])
        return cell(found) if found else ""

    return find


def _of_latency(cell: Callable[[dict[str, Any]], str]) -> Callable[[Row], str]:
    return lambda row: cell(row.latency) if row.latency else ""


def _points(found: Difference | None) -> str:
    """A difference in percentage points with its interval."""
    if found is None:
        return "–"
    if math.isnan(found.low):
        return f"{100 * found.value:+.2f} [too few]"
    return f"{100 * found.value:+.2f} [{100 * found.low:+.2f}, {100 * found.high:+.2f}]{' few' if found.few else ''}"


def _format_p(found: Difference | None) -> str:
    if found is None or math.isnan(found.p_holm):
        return ""
    return f"{found.p_holm:.3f}" if found.p_holm >= 0.001 else "<0.001"


def _spread_of_folds(row: Row) -> str:
    """Standard deviation and interval of a cross-validated metric."""
    ends = "too few" if math.isnan(row.test.low) else f"{100 * row.test.low:.2f}, {100 * row.test.high:.2f}"
    return f" ± {100 * (row.spread or 0):.2f} [{ends}]"
