"""Prepare a task: read, check, drop duplicates, split, and write examples with a manifest."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from constrictor.artifacts.writing import write_text
from constrictor.data.duplicates import deduplicate
from constrictor.data.examples import Examples, write_examples
from constrictor.data.sources import read_source
from constrictor.data.splits import stratified_sample, stratified_split
from constrictor.errors import ConstrictorError, nearest
from constrictor.study.settings import Settings
from constrictor.study.tasks import ClassificationTask, Metric, SplitSources

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test")


class TaskManifest(Settings):
    """What later stages know of a task."""

    kind: Literal["classification"]
    labels: list[str]
    max_length: int
    metric: Metric
    rows: dict[str, int] = Field(description="Examples a split.")
    classes: dict[str, dict[str, int]] = Field(description="Examples a class, a split.")
    dropped: dict[str, int] = Field(description="Rows left out: repeated texts, and texts with contradicting labels.")
    fingerprint: dict[str, str] = Field(description="SHA-256 of ids, texts and labels, a split.")


def read_task(file: Path) -> TaskManifest:
    """Read a task's manifest."""
    return TaskManifest.model_validate_json(file.read_text(encoding="utf-8"))


def prepare_task(task: ClassificationTask, folder: Path) -> TaskManifest:
    """Write ``train.parquet``, ``validation.parquet``, ``test.parquet`` and, last, ``manifest.json``.

    Args:
        task: the task's settings.
        folder: where to write.

    Raises:
        ConstrictorError: for everything that :func:`~constrictor.data.sources.read_source` refuses, an empty text, a
            missing or unknown label, a single class, a split that leaves a class out.
    """
    frame, origin = _read(task)
    _refuse_gaps(frame, task)
    labels = task.labels or _sorted_labels(frame[task.columns.label])
    _refuse_labels(frame[task.columns.label], labels, task)
    kept = deduplicate(frame[task.columns.text].tolist(), frame[task.columns.label].tolist())
    frame, origin = frame.iloc[kept.rows], origin[kept.rows]
    numbers = frame[task.columns.label].map({label: number for number, label in enumerate(labels)}).to_numpy(np.int64)
    examples = Examples(frame["id"].tolist(), frame[task.columns.text].tolist(), numbers)
    splits = {name: examples.take(rows) for name, rows in _split(numbers, origin, task).items()}
    refuse_missing_class(splits, labels)
    for name, part in splits.items():
        write_examples(folder / f"{name}.parquet", part)
    manifest = TaskManifest(
        kind="classification",
        labels=labels,
        max_length=task.max_length,
        metric=task.metric,
        rows={name: len(part) for name, part in splits.items()},
        classes={name: count_classes(part.labels, labels) for name, part in splits.items()},
        dropped={"repeated": kept.repeated, "contradicting": kept.contradicting},
        fingerprint={name: fingerprint(part) for name, part in splits.items()},
    )
    write_text(folder / "manifest.json", manifest.model_dump_json(indent=2) + "\n")
    return manifest


def fingerprint(examples: Examples) -> str:
    """SHA-256 of the ids, texts and labels in their order."""
    digest = hashlib.sha256()
    for row in zip(examples.ids, examples.texts, examples.labels.tolist(), strict=True):
        digest.update(json.dumps(row, ensure_ascii=False).encode())
    return digest.hexdigest()


def _read(task: ClassificationTask) -> tuple[pd.DataFrame, np.ndarray]:
    """All rows, and for each the split that it came in ("" where all come from one source)."""
    import pandas as pd

    columns = [task.columns.text, task.columns.label]
    if not isinstance(task.source, SplitSources):
        frame = read_source(task.source, task.filter, columns)
        return frame, np.full(len(frame), "", dtype=object)
    parts, origins = [], []
    # Test first: of a text that two splits share, the held-out copy stays.
    for name in reversed(SPLITS):
        source = getattr(task.source, name)
        if source is not None:
            part = read_source(source, task.filter, columns)
            part["id"] = f"{name}-" + part["id"]
            parts.append(part)
            origins.append(np.full(len(part), name, dtype=object))
    return pd.concat(parts, ignore_index=True), np.concatenate(origins)


def _refuse_gaps(frame: pd.DataFrame, task: ClassificationTask) -> None:
    for role, column in (("text", task.columns.text), ("label", task.columns.label)):
        empty = frame[frame[column].str.strip() == ""]
        if len(empty):
            raise ConstrictorError(
                f"{len(empty)} rows have no {role} (column '{column}'); the first, counted from 0: "
                f"{', '.join(empty['id'].head(5))}. Fill them in, or leave them out with 'filter'."
            )


def _sorted_labels(column: pd.Series) -> list[str]:
    """All labels that occur: by value if all are numbers, by letter otherwise."""
    found = column.unique().tolist()
    try:
        return sorted(found, key=float)
    except ValueError:
        return sorted(found)


def _refuse_labels(column: pd.Series, labels: Sequence[str], task: ClassificationTask) -> None:
    if len(labels) < 2:
        raise ConstrictorError(
            f"all rows have the label '{labels[0]}' (column '{task.columns.label}'): a task needs two classes or more."
        )
    unknown = column[~column.isin(labels)]
    if len(unknown):
        first = unknown.iloc[0]
        raise ConstrictorError(
            f"{len(unknown)} rows have a label that is not in 'labels', the first is '{first}'. {nearest(first, labels)}"
        )
    if task.labels is None and len(labels) > max(50, len(column) // 10):
        raise ConstrictorError(
            f"the column '{task.columns.label}' holds {len(labels)} different labels in {len(column)} rows: "
            "is it really the label column? If so, list them in 'labels'."
        )


def _split(labels: np.ndarray, origin: np.ndarray, task: ClassificationTask) -> dict[str, np.ndarray]:
    """The rows of each split: as they came, with what is missing cut from the training rows."""
    free = np.flatnonzero((origin == "") | (origin == "train"))
    given = {name: np.flatnonzero(origin == name) for name in ("validation", "test")}
    cut = stratified_split(
        labels[free],
        0 if len(given["validation"]) else task.split.validation,
        0 if len(given["test"]) else task.split.test,
        task.split.seed,
    )
    rows = {name: free[part] for name, part in cut.items()}
    rows.update({name: part for name, part in given.items() if len(part)})
    if task.fraction == 1:
        return rows
    return {
        name: part[stratified_sample(labels[part], round(len(part) * task.fraction), task.split.seed, leave=0)]
        for name, part in rows.items()
    }


def refuse_missing_class(splits: dict[str, Examples], labels: Sequence[str]) -> None:
    """Refuse splits of which one leaves a class out.

    Raises:
        ConstrictorError: naming the split and the class.
    """
    for name, part in splits.items():
        missing = [label for label, count in count_classes(part.labels, labels).items() if count == 0]
        if missing:
            raise ConstrictorError(
                f"the split '{name}' ({len(part)} examples) has no example of the class '{missing[0]}'. "
                "Give it a larger share in 'split', or leave that class out with 'filter'."
            )


def count_classes(numbers: np.ndarray, labels: Sequence[str]) -> dict[str, int]:
    """How many examples each class has."""
    counts = Counter(numbers.tolist())
    return {label: counts[number] for number, label in enumerate(labels)}
