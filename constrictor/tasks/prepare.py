"""Prepare a task: read, check, drop duplicates, split, and write examples with a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from constrictor.data.duplicates import same_text_key
from constrictor.data.examples import Examples, fingerprint, write_examples
from constrictor.data.splits import stratified_sample, stratified_split
from constrictor.errors import ConstrictorError
from constrictor.files.writing import write_text
from constrictor.study.splits import HELD_OUT, SPLITS
from constrictor.study.tasks import AnyTask
from constrictor.study.tasks.task import Task
from constrictor.tasks.kind import Kind
from constrictor.tasks.manifest import TaskManifest
from constrictor.tasks.registry import kind_of, reader_of
from constrictor.tasks.rows import Rows


def prepare_task(task: AnyTask, folder: Path) -> TaskManifest:
    """Write ``train.parquet``, ``validation.parquet``, ``test.parquet`` and, last, ``manifest.json``.

    Args:
        task: the task's settings.
        folder: where to write.

    Raises:
        ConstrictorError: for everything that :func:`~constrictor.tasks.rows.read_rows` refuses, and a split that leaves a
            class out.
    """
    reader = reader_of(task.kind)
    found = reader.read_rows(task)
    kind = kind_of(reader.record_of(task, found.names))
    _refuse_rare(found, kind)
    splits = {name: found.examples.take(rows) for name, rows in _split(found, task, kind).items()}
    refuse_missing_class(splits, kind, found.dropped)
    for name, part in splits.items():
        write_examples(folder / f"{name}.parquet", part)
    manifest = TaskManifest(
        task=kind.record,
        metric=task.metric,
        rows={name: len(part) for name, part in splits.items()},
        classes={name: kind.count(part.labels) for name, part in splits.items()},
        dropped=found.dropped,
        normalised=found.normalised,
        repaired=found.repaired,
        also_in_training=found.also_in_training,
        seen_in_training=seen_in_training(splits, found.also_in_training),
        fingerprint={name: fingerprint(part) for name, part in splits.items()},
    )
    write_text(folder / "manifest.json", manifest.model_dump_json(indent=2) + "\n")
    return manifest


def _split(found: Rows, task: Task, kind: Kind) -> dict[str, np.ndarray]:
    """The rows of each split: as they came, with what is missing drawn from the training rows."""
    strata, origin = kind.strata(found.examples.labels), found.origin
    groups = kind.groups(found.examples)
    free = np.flatnonzero((origin == "") | (origin == "train"))
    given = {name: np.flatnonzero(origin == name) for name in HELD_OUT}
    cut = stratified_split(
        strata[free],
        0 if len(given["validation"]) else task.split.validation,
        0 if len(given["test"]) else task.split.test,
        task.split.seed,
        None if groups is None else groups[free],
    )
    rows = {name: free[part] for name, part in cut.items()}
    rows.update({name: part for name, part in given.items() if len(part)})
    sizes = {name: round(len(part) * task.fraction) for name, part in rows.items()}
    if task.max_samples is not None:
        sizes["train"] = min(sizes["train"], task.max_samples)
    return {
        name: part
        if sizes[name] == len(part)
        else part[stratified_sample(strata[part], sizes[name], task.split.seed, leave=0)]
        for name, part in rows.items()
    }


def seen_in_training(splits: Mapping[str, Examples], given: Iterable[str]) -> dict[str, int]:
    """Examples of each of these splits whose text is in the training split."""
    seen = {same_text_key(text) for text in splits["train"].texts}
    return {name: sum(same_text_key(text) in seen for text in splits[name].texts) for name in given}


def _refuse_rare(found: Rows, kind: Kind) -> None:
    """Refuse classes or labels of which the splits cannot have an example each."""
    for name, count in kind.count(found.examples.labels).items():
        if count < len(SPLITS):
            only = f"only {count} examples have" if count else "no example has"
            raise ConstrictorError(
                f"{only} the class '{name}', and training, validation and test need one each. Add some, or "
                f"{kind.without_a_class}.{_format_dropped(found.dropped)}"
            )


def refuse_missing_class(splits: dict[str, Examples], kind: Kind, dropped: Mapping[str, int] | None = None) -> None:
    """Refuse splits of which one is empty, or leaves a class or label out.

    Args:
        splits: the examples of each.
        kind: the kind of the task.
        dropped: rows that were left out before, by the reason.

    Raises:
        ConstrictorError: naming the split and the class.
    """
    for name, part in splits.items():
        missing = [label for label, count in kind.count(part.labels).items() if count == 0]
        if missing or not len(part):
            of_class = f" of the class '{missing[0]}'" if missing else ""
            raise ConstrictorError(
                f"the split '{name}' ({len(part)} examples) has no example{of_class}. "
                "Give it a larger share in 'split', raise 'fraction' or 'max_samples' where they are set, "
                f"{kind.without_a_class}, or leave a split whose labels are hidden out of 'source'."
                f"{_format_dropped(dropped or {})}"
            )


def _format_dropped(dropped: Mapping[str, int]) -> str:
    """
    >>> _format_dropped({"repeated": 58, "contradicting": 0})
    ' (Rows that were not taken: 58 repeated.)'
    """
    counts = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    return f" (Rows that were not taken: {counts}.)" if counts else ""
