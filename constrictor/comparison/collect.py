"""Gather what was measured of every model of a task into rows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from constrictor.artifacts.manifest import Manifest
from constrictor.artifacts.reading import read_parsed
from constrictor.comparison.bootstrap import Answers, Interval, interval, paired_difference
from constrictor.comparison.efficiency import Training, last_training, per_million_parameters, per_training_minute
from constrictor.data.outputs import Outputs, read_predictions
from constrictor.data.task_manifest import TaskManifest
from constrictor.metrics.measure import Problem
from constrictor.metrics.problem import problem_of
from constrictor.study.lineage import ancestry, parent_of, steps_of
from constrictor.study.replicate import Replicate
from constrictor.study.settings import Settings

MASKING = frozenset({"magnitude", "wanda", "movement"})


class Comparison(Settings):
    """What the comparison reads of a study."""

    recipes: dict[str, str]
    baseline: str
    control: str | None = None
    margin: float
    resamples: int
    replicates: list[str]
    folds: int | None = None
    gates: dict[str, float] = {}

    @property
    def baseline_lineage(self) -> str:
        """Lineage of the baseline."""
        return self.recipes[self.baseline]

    @property
    def control_lineage(self) -> str | None:
        """Lineage of the control."""
        return self.recipes[self.control] if self.control else None


@dataclass(frozen=True)
class Row:
    """What is known of one model, over all replicates.

    Attributes:
        lineage: its steps.
        recipe: the recipe that it ends, if any.
        test: the metric on test with its interval; over all folds together where each has a test of its own.
        examples: test examples that the metric is over.
        repetitions: how often each of them was answered; fewer than replicates where folds share the examples out.
        validation: the metric on validation.
        spread: standard deviation of the test metric over replicates; None for a single one.
        median: of the test metric over replicates.
        tuned: the metric on test with the decision thresholds that are best on validation; None where nothing is decided.
        against_baseline: paired difference from the baseline on test; None for itself.
        against_control: paired difference from the control on test; None where there is none and for itself.
        against_parent: paired difference from its parent on test; None at a root.
        agreement: share of test examples on which it answers as its parent does; None at a root, and where answers are values.
        logit_difference: mean absolute difference of a logit from its parent's; None at a root.
        gate: largest accepted loss against its parent, if its step has a gate.
        metrics: all test metrics, the mean over replicates.
        extra_tests: by name of each further test set its metrics, the mean over replicates.
        bytes: size of its files.
        manifest: of the first replicate.
        latency: of the first replicate, the only one that is timed; None if it was not.
        training_seconds: time spent training all that led to it, the mean over replicates.
        training: the training that its weights come from; None where nothing was trained.
    """

    lineage: str
    recipe: str | None
    test: Interval
    examples: int
    repetitions: int
    validation: float
    spread: float | None
    median: float
    tuned: float | None
    against_baseline: Interval | None
    against_control: Interval | None
    against_parent: Interval | None
    agreement: float | None
    logit_difference: float | None
    gate: float | None
    metrics: dict[str, float]
    extra_tests: dict[str, dict[str, float]]
    bytes: int
    manifest: Manifest
    latency: dict[str, Any] | None
    training_seconds: float
    training: Training | None

    @property
    def efficiency(self) -> dict[str, float]:
        """Points of the metric on test for what the model holds and for what it cost to train."""
        found = {"points_per_million_parameters": per_million_parameters(self.test.value, self.manifest.parameters)}
        if self.training_seconds:
            found["points_per_training_minute"] = per_training_minute(self.test.value, self.training_seconds)
        return found

    @property
    def sparse_only(self) -> bool:
        """Whether single weights were zeroed, which makes no matrix smaller: zeros alone bring no speed."""
        return any(record.settings.get("method") in MASKING for record in self.manifest.lineage)

    @property
    def rejected(self) -> str:
        """Why the model is over its step's gate; empty if it is not."""
        if self.gate is None or self.against_parent is None or self.against_parent.value >= -self.gate:
            return ""
        return f"rejected: {-100 * self.against_parent.value:.2f} below its parent, gate {100 * self.gate:g}"

    def timed_at(self, batch: int, length: int | str) -> dict[str, Any] | None:
        """What was measured at a shape, on the first number of threads that the study names; None if nothing was."""
        shapes = self.latency["shapes"] if self.latency else []
        return next((shape for shape in shapes if (shape["batch"], shape["length"]) == (batch, length)), None)

    def verdict(self, margin: float) -> str:
        """Whether the model is within the margin of the baseline: `yes`, `no`, or `open` where the data do not decide."""
        if self.against_baseline is None:
            return "baseline"
        if self.against_baseline.low > -margin:
            return "yes"
        return "no" if self.against_baseline.high < -margin else "open"


def collect(settings: Comparison, task: TaskManifest, results: Path) -> list[Row]:
    """One row a model that some recipe needs: the baseline, the control, then the others in the order of the tree.

    Args:
        settings: recipes, baseline, control, margin.
        task: the task's manifest.
        results: ``results/<study>/<task>``.
    """
    first = [settings.baseline_lineage, settings.control_lineage]
    every = sorted({node for path in settings.recipes.values() for node in ancestry(path)}, key=steps_of)
    lineages = sorted(every, key=lambda lineage: first.index(lineage) if lineage in first else len(first))
    recipe_of = {lineage: name for name, lineage in settings.recipes.items()}
    problem = problem_of(task.kind, task.labels)
    answers = {lineage: _answers(lineage, settings.replicates, problem, results) for lineage in lineages}
    rows = []
    for lineage in lineages:
        folders = [results / replicate / lineage for replicate in settings.replicates]
        rows.append(_row(lineage, recipe_of.get(lineage), settings, task.metric, problem, folders, answers))
    return rows


def _answers(lineage: str, replicates: Sequence[str], problem: Problem, results: Path) -> Answers:
    """A model's answers on test, a row a repetition."""
    found: list[Outputs] = []
    for _, names in itertools.groupby(replicates, lambda name: Replicate.parse(name).seed):
        tests = [read_predictions(results / name / lineage / "predictions.parquet")["test"] for name in names]
        found += [_pooled(tests)] if set(tests[0].ids).isdisjoint(tests[-1].ids) else tests
    return Answers(found[0].labels, np.stack([problem.answers(outputs.logits) for outputs in found]))


def _pooled(folds: Sequence[Outputs]) -> Outputs:
    """The answers of all folds as those of one model: every example is answered by the fold that had held it out.

    The metric of these answers is what a cross-validation reports; the mean of the folds' F1 would be biased where a fold
    has few examples of a class (Forman and Scholz, 2010).
    """
    ids = [identity for outputs in folds for identity in outputs.ids]
    return Outputs(
        ids,
        np.concatenate([outputs.labels for outputs in folds]),
        np.concatenate([outputs.logits for outputs in folds]),
    )


def _row(
    lineage: str,
    recipe: str | None,
    settings: Comparison,
    metric: str,
    problem: Problem,
    folders: Sequence[Path],
    answers: dict[str, Answers],
) -> Row:
    measure = problem.measures[metric]
    own = answers[lineage]

    def against(other: str | None) -> Interval | None:
        if other is None or other == lineage:
            return None
        return paired_difference(measure, own, answers[other], settings.resamples)

    measured = [read_parsed(folder / "metrics.json", json.loads) for folder in folders]
    scores = [entry["test"][metric] for entry in measured]
    parent = parent_of(lineage)
    tuned = [entry["tuned"]["test"][metric] for entry in measured if "tuned" in entry]
    manifest = read_parsed(folders[0] / "model" / "manifest.json", Manifest.model_validate_json)
    timed = folders[0] / "latency.json"
    return Row(
        lineage=lineage,
        recipe=recipe,
        test=interval(measure, own, settings.resamples),
        examples=len(own.labels),
        repetitions=len(own.predictions),
        validation=float(np.mean([entry["validation"][metric] for entry in measured])),
        spread=float(np.std(scores, ddof=1)) if len(scores) > 1 else None,
        median=float(np.median(scores)),
        tuned=float(np.mean(tuned)) if tuned else None,
        against_baseline=against(settings.baseline_lineage),
        against_control=against(settings.control_lineage),
        against_parent=against(parent),
        agreement=_agreement(problem, own, answers[parent]) if parent else None,
        logit_difference=_logit_difference(folders) if parent else None,
        gate=settings.gates.get(lineage),
        metrics=_means([entry["test"] for entry in measured], problem),
        extra_tests={
            name: _means([entry["extra_tests"][name] for entry in measured], problem)
            for name in measured[0].get("extra_tests", {})
        },
        bytes=manifest.bytes,
        manifest=manifest,
        latency=read_parsed(timed, json.loads) if recipe and timed.is_file() else None,
        training=last_training(lineage, [folder.parents[lineage.count("/")] for folder in folders]),
        training_seconds=float(np.mean([_training_seconds(folder, lineage) for folder in folders])),
    )


def _means(measured: Sequence[dict[str, float]], problem: Problem) -> dict[str, float]:
    """The mean of each metric, and of the loss, over the replicates."""
    return {name: float(np.mean([entry[name] for entry in measured])) for name in (*problem.measures, "loss")}


def _agreement(problem: Problem, own: Answers, parents: Answers) -> float | None:
    """Share of examples with the parent's answer, the mean over replicates; None where answers are values."""
    pairs = zip(own.predictions, parents.predictions, strict=True)
    found = [share for pair in pairs if (share := problem.agreement(*pair)) is not None]
    return float(np.mean(found)) if found else None


def _logit_difference(folders: Sequence[Path]) -> float:
    """Mean absolute difference of a test logit between models and their parents."""
    differences = []
    for folder in folders:
        own, parents = (read_predictions(place / "predictions.parquet")["test"] for place in (folder, folder.parent))
        differences.append(np.abs(own.logits - parents.logits).mean())
    return float(np.mean(differences))


def _training_seconds(folder: Path, lineage: str) -> float:
    """Seconds of training in a node and all its ancestors."""
    root = folder.parents[lineage.count("/")]
    total = 0.0
    for node in ancestry(lineage):
        record = root / node / "training.json"
        if record.is_file():
            total += read_parsed(record, json.loads).get("seconds", 0.0)
    return total
