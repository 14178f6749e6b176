"""One JSON record a recipe: what was trained on what, what came out and what it cost, for tables of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from constrictor.comparison.differences import Difference
from constrictor.comparison.intervals import Interval
from constrictor.comparison.row import Row
from constrictor.files.reading import read_parsed
from constrictor.files.writing import write_json
from constrictor.models.manifest import Manifest
from constrictor.study.lineage import ancestry
from constrictor.study.splits import HELD_OUT


def write_records(
    rows: Sequence[Row], metric: str, replicates: Sequence[Path], subsets: Sequence[Path], target: Path
) -> None:
    """Write ``<recipe>.json`` for each recipe.

    Args:
        rows: the models; those that no recipe names are left out.
        metric: the task's metric.
        replicates: ``results/<study>/<task>/<replicate>`` of each repetition.
        subsets: files of the subsets that models were trained on.
        target: folder to write to.
    """
    for row in rows:
        if row.recipe:
            record = _record(row, row.recipe, metric, replicates, subsets)
            write_json(target / f"{row.recipe}.json", record)


def _record(row: Row, recipe: str, metric: str, replicates: Sequence[Path], subsets: Sequence[Path]) -> dict[str, Any]:
    training = row.training
    return {
        "recipe": recipe,
        "lineage": row.lineage,
        "checkpoints": {
            root.name: {
                "model": (root / row.lineage / "model").as_posix(),
                "started_from": [_origin(root / node) for node in ancestry(row.lineage)],
            }
            for root in replicates
        },
        "subsets": _subsets(row.manifest, subsets),
        "labelled_for_students": [
            file.as_posix()
            for root in replicates
            for name in sorted({subset.stem for subset in subsets})
            if (file := root / row.lineage / "outputs" / f"{name}.parquet").is_file()
        ],
        "metric": metric,
        "results": {root.name: _results(root / row.lineage) for root in replicates},
        "intervals_for": row.intervals_for,
        "test": _numbers(row.test),
        "difference_from_baseline": _numbers(row.against_baseline),
        "difference_from_control": _numbers(row.against_control),
        "trainable_parameters": training.trainable_parameters if training else 0,
        "total_parameters": row.manifest.parameters,
        "file_bytes": row.bytes,
        "training_seconds": {
            "last_training": training.seconds if training else 0.0,
            "all_that_led_to_it": row.training_seconds,
        },
        "peak_training_memory_bytes": training.peak_memory_bytes if training else None,
        "energy_joules": training.energy_joules if training else None,
        f"{metric}_per_million_params": row.efficiency["points_per_million_parameters"],
        f"{metric}_per_minute": row.efficiency.get("points_per_training_minute"),
    }


def _numbers(found: Interval | Difference | None) -> dict[str, Any] | None:
    """An estimate by the names of its fields; unknown ones, which JSON has no number for, are None."""
    return {name: None if value != value else value for name, value in found._asdict().items()} if found else None


def _origin(node: Path) -> dict[str, Any]:
    """A step with its settings and its start."""
    manifest = read_parsed(node / "model" / "manifest.json", Manifest.model_validate_json)
    last = manifest.lineage[-1]
    return {"step": last.step, "settings": last.settings}


def _subsets(manifest: Manifest, files: Sequence[Path]) -> list[str]:
    """Files of the subsets that the steps of a lineage read; one for each fold where a subset is of a task in folds."""
    names = {name for record in manifest.lineage for name in record.settings.get("train_on", {})}
    return sorted(file.as_posix() for file in files if file.stem in names)


def _results(node: Path) -> dict[str, dict[str, float]]:
    """All numbers of an evaluation, by split and extra test set."""
    found = read_parsed(node / "metrics.json", json.loads)
    parts = {**{split: found[split] for split in HELD_OUT}, **found.get("extra_test_sets", {})}
    return {
        part: {name: value for name, value in metrics.items() if isinstance(value, int | float)}
        for part, metrics in parts.items()
    }
