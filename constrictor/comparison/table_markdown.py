"""The comparison as tables in Markdown, no wider than a terminal: the numbers that decide, and how to read them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from constrictor.comparison.differences import Difference
from constrictor.comparison.row import Comparison, Row
from constrictor.comparison.speed import disturbance_notes, format_jitter, format_speedup
from constrictor.tasks.manifest import TaskManifest


def table_markdown(rows: Sequence[Row], settings: Comparison, task: TaskManifest, name: str) -> str:
    """The recipes with what decides between them: quality, then cost, and below each how to read it."""
    shown = [row for row in rows if row.recipe]
    measured = next((row.latency for row in shown if row.latency), None)
    parts = [
        f"## {name}",
        *_tables(_quality_columns(settings, task.metric, shown), shown),
        _wrapped(_quality_legend(shown, settings, task)),
    ]
    rejected = [f"- `{row.recipe or row.lineage}` {row.rejected}" for row in rows if row.rejected]
    if rejected:
        parts.append("\n".join(rejected))
    if measured:
        notes = ["\n".join(map(_wrapped, note.splitlines())) for note in disturbance_notes(shown)]
        parts += [
            *_tables(_cost_columns(measured), shown),
            _wrapped(_cost_legend(measured, settings.replicates)),
            *notes,
        ]
    return "\n\n".join(parts) + "\n"


Column = tuple[str, Callable[[Row], str]]

MEDIAN_FROM = 5  # replicates: below, the median adds nothing to the mean; published numbers are often medians of five

_WORDS = {"recipe", "steps"}  # columns of words stand left, numbers right


WIDTH = 120  # characters of a line


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _tables(groups: Iterable[Sequence[Column]], rows: Sequence[Row]) -> list[str]:
    """Tables of the recipes that fit into the width of a page; columns of one group stand together where they can."""
    recipe = _padded(("recipe", lambda row: row.recipe or ""), rows)
    tables = [[recipe]]
    for group in groups:
        padded = [_padded(column, rows) for column in group]
        for together in [padded] if _fits([recipe, *padded]) else [[column] for column in padded]:
            if not _fits([*tables[-1], *together]):
                tables.append([recipe])
            tables[-1] += together
    return ["\n".join(_lines(table)) for table in tables]


def _fits(table: Sequence[list[str]]) -> bool:
    return len(_lines(table)[0]) <= WIDTH


def _lines(table: Sequence[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in zip(*table, strict=True)]


def _padded(column: Column, rows: Sequence[Row]) -> list[str]:
    """Title, rule and cells of a column, as wide as the widest, so that it reads well on a terminal too."""
    title, cell = column
    cells = [title, *map(cell, rows)]
    width = max(3, *map(len, cells))
    rule = f":{'-' * (width - 1)}" if title in _WORDS else f"{'-' * (width - 1)}:"
    justify = str.ljust if title in _WORDS else str.rjust
    head, *body = [justify(text, width) for text in cells]
    return [head, rule, *body]


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
    differences = [row.against_baseline for row in rows if row.against_baseline]
    sentences = [
        f"Quality: {task.metric} in percent on {rows[0].examples} test examples, {_replication(rows[0], settings)}.",
        f"Differences are in points, paired example by example, with 95 % intervals for {rows[0].intervals_for}"
        + (
            f", over test examples and {rows[0].repetitions} trainings."
            if rows[0].intervals_for == "the recipe"
            else ": they hold for further examples. How much a further training would differ, only several seeds show "
            "(`replicates.seeds`)."
            if rows[0].repetitions == 1
            else ": they hold for further examples."
        ),
        f"*non-inferior* with a margin of {margin} point{'' if margin == '1' else 's'}: *yes*, the whole interval "
        f"lies above −{margin}; *no*, it lies below; *inconclusive*, it contains −{margin}.",
    ]
    if any(found.few for row in rows for found in (row.against_baseline, row.against_control) if found):
        sentences.append(
            "*few*: so few examples differ that the interval is wider than 95 % require, or (*too few*) cannot be known."
        )
    sizes = [100 * found.detectable for found in differences if not math.isnan(found.detectable)]
    if sizes:
        span = f"{min(sizes):.1f} to {max(sizes):.1f}" if len(sizes) > 1 else f"{sizes[0]:.1f}"
        sentences.append(
            f"The smallest difference from {settings.baseline} that such a test finds with a probability of 80 % is {span} "
            "points."
        )
    if any(row.agreement is not None for row in rows):
        sentences.append(
            "*agreement with parent*: share of examples with the same prediction as by the model one step before."
        )
    if any(not math.isnan(found.p_holm) for found in differences):
        count = sum(
            not math.isnan(found.p_holm)
            for row in rows
            for found in (row.against_baseline, row.against_control)
            if found
        )
        sentences.append(
            f"*p (Holm)*: of no difference from {settings.baseline}, corrected for the {count} comparisons of this table."
        )
    if any(row.tuned is not None for row in rows):
        sentences.append("*tuned threshold*: the decision threshold is the best one on validation.")
    return " ".join(sentences)


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
