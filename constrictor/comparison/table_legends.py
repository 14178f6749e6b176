"""What stands below the tables: how to read them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from constrictor.comparison.row import Comparison, Row
from constrictor.tasks.manifest import TaskManifest


def quality_legend(rows: Sequence[Row], settings: Comparison, task: TaskManifest) -> str:
    """How to read the tables of quality."""
    first = rows[0]
    sentences = [
        f"Quality: {task.metric} in percent on {first.examples} test examples, {_replication(first, settings)}.",
        *_seen_in_training(task),
        f"Differences are in points, paired example by example, with 95 % intervals for {first.intervals_for}{_scope(first)}.",
        _margin(settings),
        *_tests(rows, settings),
    ]
    if any(row.agreement is not None for row in rows):
        sentences.append(
            "*agreement with parent*: share of examples with the same prediction as by the model one step before."
        )
    if any(row.tuned is not None for row in rows):
        sentences.append("*tuned threshold*: the decision threshold is the best one on validation.")
    return " ".join(sentences)


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


def _seen_in_training(task: TaskManifest) -> Iterable[str]:
    """How many examples of a test split that the data bring were seen in training."""
    if "test" in task.seen_in_training:
        seen, also = task.seen_in_training["test"], task.also_in_training["test"]
        yield f"{seen or 'None'} of the test examples {'was' if seen == 1 else 'were'} seen in training."
        if also > seen:
            yield f"The training data also had the texts of {also} test examples; those copies were left out."


def _scope(row: Row) -> str:
    """What intervals leave out."""
    if row.intervals_for == "the recipe":
        return f", over test examples and {row.repetitions} trainings"
    if row.repetitions > 1:
        return ": they hold for further examples"
    return (
        ": they hold for further examples. How much a further training would differ, only several seeds show "
        "(`replicates.seeds`)"
    )


def _margin(settings: Comparison) -> str:
    margin = f"{100 * settings.margin:g}"
    return (
        f"*non-inferior* with a margin of {margin} point{'' if margin == '1' else 's'}: *yes*, the whole interval "
        f"lies above −{margin}; *no*, it lies below; *inconclusive*, it contains −{margin}."
    )


def _tests(rows: Sequence[Row], settings: Comparison) -> Iterable[str]:
    """Few examples, detectable differences and p-values, where there are some."""
    differences = [found for row in rows for found in (row.against_baseline, row.against_control) if found]
    if any(found.few for found in differences):
        yield "*few*: so few examples differ that the interval is wider than 95 % require, or (*too few*) cannot be known."
    sizes = [
        100 * row.against_baseline.detectable
        for row in rows
        if row.against_baseline and not math.isnan(row.against_baseline.detectable)
    ]
    if sizes:
        span = f"{min(sizes):.1f} to {max(sizes):.1f}" if len(sizes) > 1 else f"{sizes[0]:.1f}"
        yield (
            f"The smallest difference from {settings.baseline} that such a test finds with a probability of 80 % is {span} "
            "points."
        )
    if corrected := sum(not math.isnan(found.p_holm) for found in differences):
        yield (
            f"*p (Holm)*: of no difference from {settings.baseline}, corrected for the {corrected} comparisons of this table."
        )


def cost_legend(measured: dict[str, Any], replicates: Sequence[str]) -> str:
    """How to read the tables of cost."""
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
