"""The comparison as a table in Markdown: the numbers that decide, and how to read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from constrictor.comparison.bootstrap import Interval
from constrictor.comparison.row import Comparison, Row
from constrictor.comparison.speed import disturbance_notes, format_jitter, format_speedup
from constrictor.tasks.manifest import TaskManifest


def table_markdown(rows: Sequence[Row], settings: Comparison, task: TaskManifest, name: str) -> str:
    """The recipes with what decides between them, in two tables, and below each how to read it."""
    shown = [row for row in rows if row.recipe]
    measured = next((row.latency for row in shown if row.latency), None)
    parts = [
        f"## {name}",
        _markdown(_quality_columns(settings, task.metric, shown), shown),
        _quality_legend(shown, settings, task),
    ]
    # A model between a recipe's ends has no row of its own.
    between = [f"- `{row.lineage}` {row.rejected}" for row in rows if row.rejected and not row.recipe]
    if between:
        parts.append("\n".join(between))
    if measured:
        parts += [_markdown(_cost_columns(measured), shown), _cost_legend(measured, settings.replicates)]
        parts += disturbance_notes(shown)
    return "\n\n".join(parts) + "\n"


Column = tuple[str, Callable[[Row], str]]

MEDIAN_FROM = 5  # replicates: below, the median adds nothing to the mean; published numbers are often medians of five

_WORDS = {"recipe", "steps"}  # columns of words stand left, numbers right


def _markdown(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A Markdown table whose columns are as wide as their widest cell, so that it reads well on a terminal too."""
    padded = []
    for title, cell in columns:
        cells = [title, *map(cell, rows)]
        width = max(map(len, cells))
        rule = f":{'-' * (width - 1)}" if title in _WORDS else f"{'-' * (width - 1)}:"
        justify = str.ljust if title in _WORDS else str.rjust
        head, *body = [justify(text, width) for text in cells]
        padded.append([head, rule, *body])
    return "\n".join("| " + " | ".join(line) + " |" for line in zip(*padded, strict=True))


def _quality_columns(settings: Comparison, metric: str, rows: Sequence[Row]) -> list[Column]:
    columns: list[Column] = [
        ("recipe", lambda row: row.recipe or ""),
        ("steps", lambda row: row.lineage),
        (
            f"test {metric}",
            lambda row: f"{100 * row.test.value:.2f}" + (_spread_of_folds(row) if settings.folds else ""),
        ),
    ]
    if len(settings.replicates) >= MEDIAN_FROM and not settings.folds:
        columns.append((f"median of {len(settings.replicates)}", lambda row: f"{100 * row.median:.2f}"))
    columns += [_extra_test_set_column(part, metric) for part in rows[0].extra_test_sets]
    if any(row.tuned is not None for row in rows):
        columns.append(("tuned threshold", lambda row: "" if row.tuned is None else f"{100 * row.tuned:.2f}"))
    columns += [
        (f"vs. {settings.baseline}", lambda row: _points(row.against_baseline)),
        ("non-inferior", lambda row: row.rejected or row.verdict(settings.margin)),
    ]
    if settings.control:
        columns.append((f"vs. {settings.control}", lambda row: _points(row.against_control)))
    columns.append(
        ("agreement with parent", lambda row: "" if row.agreement is None else f"{100 * row.agreement:.1f} %")
    )
    return columns


def _extra_test_set_column(part: str, metric: str) -> Column:
    return f"{part} {metric}", lambda row: f"{100 * row.extra_test_sets[part][metric]:.2f}"


def _cost_columns(measured: dict[str, Any]) -> list[Column]:
    return [
        ("recipe", lambda row: row.recipe or ""),
        (
            "file",
            lambda row: f"{row.bytes / 1e6:.1f} MB" + (" (adapter, without its model)" if row.manifest.adapter else ""),
        ),
        ("parameters", lambda row: f"{row.manifest.parameters / 1e6:.1f} M"),
        (
            "zeros",
            lambda row: f"{100 * row.manifest.sparsity:.0f} %" + (" (sparse, not faster)" if row.sparse_only else ""),
        ),
        *_speed_columns(measured),
        ("peak memory", _of_latency(lambda found: f"{found['peak_memory_bytes'] / 1e6:.0f} MB")),
        ("cold start", _of_latency(lambda found: f"{found['cold_start_seconds']:.2f} s")),
    ]


def _speed_columns(measured: dict[str, Any]) -> list[Column]:
    """Latency at the first shape, throughput at the last, and the speed-ups at both; on the study's first number of threads."""
    shapes = [shape for shape in measured["shapes"] if shape["threads"] == measured["shapes"][0]["threads"]]
    first, last = shapes[0], shapes[-1]
    return [
        (
            f"p50 / p95 at {_format_shape(first)}",
            _at(first, lambda found: "{p50_ms:.2f} / {p95_ms:.2f} ms".format(**found)),
        ),
        *_speedups(first),
        (f"examples/s at {_format_shape(last)}", _at(last, lambda found: "{examples_per_second:.0f}".format(**found))),
        *(_speedups(last) if last is not first else []),
    ]


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


def _points(found: Interval | None) -> str:
    """A difference in percentage points with its interval."""
    if found is None:
        return "–"
    return f"{100 * found.value:+.2f} [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"


def _spread_of_folds(row: Row) -> str:
    """Standard deviation and interval of a cross-validated metric."""
    return f" ± {100 * (row.spread or 0):.2f} [{100 * row.test.low:.2f}, {100 * row.test.high:.2f}]"


def _replication(row: Row, settings: Comparison) -> str:
    """What the numbers are the mean of."""
    replicates = len(settings.replicates)
    if not settings.folds:
        return f"the mean of {replicates} replicates" if replicates > 1 else "one replicate"
    shared = (
        "each predicted by the model that was not trained on it" if row.repetitions < replicates else "predicted by all"
    )
    seeds = replicates // settings.folds
    return (
        f"{settings.folds} folds{f' of {seeds} seeds' if seeds > 1 else ''}, {shared} (± standard deviation over the folds"
        f"{' and seeds' if seeds > 1 else ''}, [95 % interval])"
    )


def _quality_legend(rows: Sequence[Row], settings: Comparison, task: TaskManifest) -> str:
    margin = f"{100 * settings.margin:g}"
    tuned = "*tuned threshold*: the decision threshold is the best one on validation. "
    agreement = "*agreement with parent*: share of examples with the same prediction as by the model one step before. "
    return (
        f"Quality: {task.metric} in percent on {rows[0].examples} test examples, {_replication(rows[0], settings)}. "
        f"{tuned if any(row.tuned is not None for row in rows) else ''}"
        f"{agreement if any(row.agreement is not None for row in rows) else ''}"
        f"Differences are in points, paired example by example, with 95 % bootstrap intervals ({settings.resamples} "
        f"resamples). *non-inferior* with a margin of {margin} point{'' if margin == '1' else 's'}: *yes*, the whole interval "
        f"lies above −{margin}; *no*, it lies below; *inconclusive*, it contains −{margin}."
    )


def _cost_legend(measured: dict[str, Any], replicates: Sequence[str]) -> str:
    machine = measured["processor"]
    instructions = ", ".join(machine["instructions"]) or "no low-precision instructions"
    count = measured["shapes"][0]["threads"]
    threads = "1 thread" if count == 1 else f"{count} threads"
    own_lengths = any(shape["length"] == "task" for shape in measured["shapes"])
    of_which = f" of {replicates[0]}" if len(replicates) > 1 else ""
    meaning = "; *task*: validation inputs at their own lengths" if own_lengths else ""
    return (
        f"Cost: full batches (batch×tokens{meaning}) on the file that would be shipped{of_which}, each model in a "
        "separate process, in alternation with its baselines; medians of "
        f"{measured['rounds']} rounds, {threads} of {machine['name']} ({instructions}). Torch models run in the "
        f"fastest mode of the baseline: {measured['torch_variant']}. Speed-ups have 95 % intervals over the rounds (Student's t "
        "of their logarithms). *jitter*: how much the torch baseline differs from itself from one round to the next. "
        "Peak memory and cold start (process start to first output) are those of the whole process."
    )
