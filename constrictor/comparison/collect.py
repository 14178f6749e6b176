"""Gather what was measured of every model of a task into rows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from constrictor.comparison.differences import Difference, paired_difference
from constrictor.comparison.efficiency import last_training, training_seconds
from constrictor.comparison.intervals import Replicated, Scores, interval, scores
from constrictor.comparison.row import Comparison, Row
from constrictor.comparison.significance import holm
from constrictor.comparison.speed import mark_strays
from constrictor.data.outputs import Predictions, read_predictions
from constrictor.files.reading import read_parsed
from constrictor.models.manifest import Manifest
from constrictor.study.lineage import ancestry, parent_of, steps_of
from constrictor.study.replicate import Replicate
from constrictor.tasks.kind import Kind
from constrictor.tasks.manifest import TaskManifest
from constrictor.tasks.registry import kind_of


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
    kind = kind_of(task.task)
    found = {lineage: _replicated(lineage, settings.replicates, kind, results) for lineage in lineages}
    scored = {
        lineage: scores(kind.measures[task.metric], replicated, settings.intervals != "models")
        for lineage, replicated in found.items()
    }
    roots = [results / replicate for replicate in settings.replicates]
    rows = [
        _row(lineage, recipe_of.get(lineage), settings, task.metric, kind, roots, found, scored) for lineage in lineages
    ]
    return mark_strays(_corrected(rows))


def _replicated(lineage: str, replicates: Sequence[str], kind: Kind, results: Path) -> Replicated:
    """A model's predictions on test, a row a repetition."""
    found: list[Predictions] = []
    for _, names in itertools.groupby(replicates, lambda name: Replicate.parse(name).seed):
        tests = [read_predictions(results / name / lineage / "predictions.parquet")["test"] for name in names]
        found += [_pooled(tests)] if set(tests[0].ids).isdisjoint(tests[-1].ids) else tests
    return Replicated(found[0].labels, np.stack([kind.predict(predictions.outputs) for predictions in found]))


def _pooled(folds: Sequence[Predictions]) -> Predictions:
    """The predictions of all folds as those of one model: every example has that of the fold that held it out.

    The metric of these predictions is what a cross-validation reports; the mean of the folds' F1 would be biased where a
    fold has few examples of a class (Forman and Scholz, 2010).
    """
    return Predictions(
        [identity for predictions in folds for identity in predictions.ids],
        np.concatenate([predictions.labels for predictions in folds]),
        {name: np.concatenate([predictions.outputs[name] for predictions in folds]) for name in folds[0].outputs},
    )


def _row(
    lineage: str,
    recipe: str | None,
    settings: Comparison,
    metric: str,
    kind: Kind,
    roots: Sequence[Path],
    found: dict[str, Replicated],
    scored: dict[str, Scores],
) -> Row:
    own, folders = found[lineage], [root / lineage for root in roots]

    def against(other: str | None) -> Difference | None:
        return None if other is None or other == lineage else paired_difference(scored[lineage], scored[other])

    measured = [read_parsed(folder / "metrics.json", json.loads) for folder in folders]
    scores = [entry["test"][metric] for entry in measured]
    parent = parent_of(lineage)
    tuned = [entry["tuned"]["test"][metric] for entry in measured if "tuned" in entry]
    manifest = read_parsed(folders[0] / "model" / "manifest.json", Manifest.model_validate_json)
    timed = folders[0] / "latency.json"
    return Row(
        lineage=lineage,
        recipe=recipe,
        test=interval(scored[lineage]),
        intervals_for="the recipe" if scored[lineage].over_trainings else "these trained models",
        examples=len(own.labels),
        repetitions=len(own.predictions),
        validation=float(np.mean([entry["validation"][metric] for entry in measured])),
        spread=float(np.std(scores, ddof=1)) if len(scores) > 1 else None,
        median=float(np.median(scores)),
        tuned=float(np.mean(tuned)) if tuned else None,
        against_baseline=against(settings.baseline_lineage),
        against_control=against(settings.control_lineage),
        against_parent=against(parent),
        agreement=_agreement(kind, own, found[parent]) if parent else None,
        output_difference=_output_difference(kind, folders) if parent else None,
        gate=settings.gates.get(lineage),
        metrics=_means([entry["test"] for entry in measured], kind),
        extra_test_sets={
            name: _means([entry["extra_test_sets"][name] for entry in measured], kind)
            for name in measured[0].get("extra_test_sets", {})
        },
        bytes=manifest.bytes,
        manifest=manifest,
        latency=read_parsed(timed, json.loads) if recipe and timed.is_file() else None,
        training=last_training(lineage, roots),
        training_seconds=training_seconds(lineage, roots),
    )


def _corrected(rows: list[Row]) -> list[Row]:
    """The rows with the p-values of the recipes' differences from baseline and control corrected for their number."""
    keys = ("against_baseline", "against_control")
    tests = [
        (number, key) for number, row in enumerate(rows) if row.recipe for key in keys if _has_p(getattr(row, key))
    ]
    found = holm([getattr(rows[number], key).p for number, key in tests])
    for (number, key), p in zip(tests, found, strict=True):
        rows[number] = replace(rows[number], **{key: getattr(rows[number], key)._replace(p_holm=p)})
    return rows


def _has_p(difference: Difference | None) -> bool:
    return difference is not None and not np.isnan(difference.p)


def _means(measured: Sequence[dict[str, float]], kind: Kind) -> dict[str, float]:
    """The mean of each metric, and of the loss, over the replicates."""
    return {name: float(np.mean([entry[name] for entry in measured])) for name in (*kind.measures, "loss")}


def _agreement(kind: Kind, own: Replicated, parents: Replicated) -> float | None:
    """Share of examples with the parent's prediction, the mean over replicates; None where predictions are values."""
    pairs = zip(own.predictions, parents.predictions, strict=True)
    found = [share for pair in pairs if (share := kind.agreement(*pair)) is not None]
    return float(np.mean(found)) if found else None


def _output_difference(kind: Kind, folders: Sequence[Path]) -> float:
    """Mean absolute difference of a test output between models and their parents."""
    differences = []
    for folder in folders:
        own, parents = (read_predictions(place / "predictions.parquet")["test"] for place in (folder, folder.parent))
        differences.append(kind.output_difference(own.outputs, parents.outputs))
    return float(np.mean(differences))
