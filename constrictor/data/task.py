"""Prepare a task: read, check, drop duplicates, split, and write examples with a manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from constrictor.artifacts.reading import read_parsed
from constrictor.artifacts.writing import write_text
from constrictor.data.duplicates import deduplicate
from constrictor.data.examples import Examples, Text, write_examples
from constrictor.data.labels import count_labels, labels_of
from constrictor.data.normalise import normaliser
from constrictor.data.sources import read_source
from constrictor.data.splits import strata_of, stratified_sample, stratified_split
from constrictor.errors import ConstrictorError
from constrictor.study.reading import Truncation
from constrictor.study.settings import Settings
from constrictor.study.tasks import AnyTask, SplitSources, Task

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test")


class TaskManifest(Settings):
    """What later stages know of a task."""

    kind: Literal["classification", "multilabel", "regression"]
    labels: list[str] = Field(description="What the outputs of a model stand for.")
    max_length: int
    truncation: Truncation = "head"
    metric: str
    rows: dict[str, int] = Field(description="Examples a split.")
    classes: dict[str, dict[str, int]] = Field(description="Examples a class, a split.")
    dropped: dict[str, int] = Field(description="Rows left out: repeated texts, and texts with contradicting labels.")
    normalised: int = Field(0, description="Rows, of all that were read, whose text `normalise` has changed.")
    fingerprint: dict[str, str] = Field(description="SHA-256 of ids, texts and labels, a split.")


def read_task(file: Path) -> TaskManifest:
    """Read a task's manifest.

    Raises:
        ConstrictorError: if it was changed or cut off.
    """
    return read_parsed(file, TaskManifest.model_validate_json)


def prepare_task(task: AnyTask, folder: Path) -> TaskManifest:
    """Write ``train.parquet``, ``validation.parquet``, ``test.parquet`` and, last, ``manifest.json``.

    Args:
        task: the task's settings.
        folder: where to write.

    Raises:
        ConstrictorError: for everything that :func:`~constrictor.data.sources.read_source` refuses, an empty text, a
            missing or unknown label, a single class, a split that leaves a class out.
    """
    frame, origin = _read(task)
    normalised = _normalise(frame, task)
    _refuse_gaps(frame, task.columns.texts)
    labels = labels_of(task, frame)
    texts = _texts(frame, task.columns.texts)
    kept = deduplicate(texts, [row.tobytes() for row in labels.values])
    examples = Examples(frame["id"].tolist(), texts, labels.values).take(kept.rows)
    splits = {name: examples.take(rows) for name, rows in _split(examples, origin[kept.rows], task).items()}
    refuse_missing_class(splits, labels.names)
    for name, part in splits.items():
        write_examples(folder / f"{name}.parquet", part)
    manifest = TaskManifest(
        kind=task.kind,
        labels=labels.names,
        max_length=task.max_length,
        truncation=task.truncation,
        metric=task.metric,
        rows={name: len(part) for name, part in splits.items()},
        classes={name: count_labels(part.labels, labels.names) for name, part in splits.items()},
        dropped={"repeated": kept.repeated, "contradicting": kept.contradicting},
        normalised=normalised,
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


def _read(task: Task) -> tuple[pd.DataFrame, np.ndarray]:
    """All rows, and for each the split that it came in ("" where all come from one source)."""
    import pandas as pd

    columns = [*task.columns.texts, *task.columns.of_labels]
    if not isinstance(task.source, SplitSources):
        frame = read_source(task.source, task.filter, columns, task.columns.texts)
        return frame, np.full(len(frame), "", dtype=object)
    parts, origins = [], []
    # Test first: of a text that two splits share, the held-out copy stays.
    for name in reversed(SPLITS):
        source = getattr(task.source, name)
        if source is not None:
            part = read_source(source, task.filter, columns, task.columns.texts)
            part["id"] = f"{name}-" + part["id"]
            parts.append(part)
            origins.append(np.full(len(part), name, dtype=object))
    return pd.concat(parts, ignore_index=True), np.concatenate(origins)


def _normalise(frame: pd.DataFrame, task: Task) -> int:
    """Normalise the texts in place, and count the rows that changed."""
    normalise = normaliser(task.normalise)
    before = frame[task.columns.texts].copy()
    for column in task.columns.texts:
        frame[column] = before[column].map(normalise)
    return int((frame[task.columns.texts] != before).any(axis=1).sum())


def _refuse_gaps(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    for column in columns:
        empty = frame[frame[column].str.strip() == ""]
        if len(empty):
            raise ConstrictorError(
                f"{len(empty)} rows have no text (column '{column}'); the first, counted from 0: "
                f"{', '.join(empty['id'].head(5))}. Fill them in, or leave them out with 'filter'."
            )


def _texts(frame: pd.DataFrame, columns: Sequence[str]) -> list[Text]:
    """One text a row, or a pair where there are two columns."""
    if len(columns) == 1:
        return list(frame[columns[0]])
    return list(zip(*(frame[column] for column in columns), strict=True))


def _split(examples: Examples, origin: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    """The rows of each split: as they came, with what is missing cut from the training rows."""
    strata = strata_of(examples.labels)
    free = np.flatnonzero((origin == "") | (origin == "train"))
    given = {name: np.flatnonzero(origin == name) for name in ("validation", "test")}
    cut = stratified_split(
        strata[free],
        0 if len(given["validation"]) else task.split.validation,
        0 if len(given["test"]) else task.split.test,
        task.split.seed,
    )
    rows = {name: free[part] for name, part in cut.items()}
    rows.update({name: part for name, part in given.items() if len(part)})
    if task.fraction == 1:
        return rows
    return {
        name: part[stratified_sample(strata[part], round(len(part) * task.fraction), task.split.seed, leave=0)]
        for name, part in rows.items()
    }


def refuse_missing_class(splits: dict[str, Examples], names: Sequence[str]) -> None:
    """Refuse splits of which one leaves a class or label out.

    Raises:
        ConstrictorError: naming the split and the class.
    """
    for name, part in splits.items():
        missing = [label for label, count in count_labels(part.labels, names).items() if count == 0]
        if missing:
            raise ConstrictorError(
                f"the split '{name}' ({len(part)} examples) has no example of the class '{missing[0]}'. "
                "Give it a larger share in 'split', or leave that class out with 'filter'."
            )
