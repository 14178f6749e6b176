"""Prepare a task: read, check, drop duplicates, split, and write examples with a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from constrictor.data.examples import Examples, fingerprint, write_examples
from constrictor.data.splits import strata_of, stratified_sample, stratified_split
from constrictor.errors import ConstrictorError
from constrictor.files.writing import write_text
from constrictor.study.splits import HELD_OUT, SPLITS
from constrictor.study.tasks import AnyTask
from constrictor.study.tasks.text import TextTask as Task
from constrictor.tasks.labels import count_labels
from constrictor.tasks.manifest import TaskManifest
from constrictor.tasks.rows import Rows, read_rows


def prepare_task(task: AnyTask, folder: Path) -> TaskManifest:
    """Write ``train.parquet``, ``validation.parquet``, ``test.parquet`` and, last, ``manifest.json``.

    Args:
        task: the task's settings.
        folder: where to write.

    Raises:
        ConstrictorError: for everything that :func:`~constrictor.tasks.rows.read_rows` refuses, and a split that leaves a
            class out.
    """
    found = read_rows(task)
    _refuse_rare(found)
    splits = {name: found.examples.take(rows) for name, rows in _split(found, task).items()}
    refuse_missing_class(splits, found.names, found.dropped)
    for name, part in splits.items():
        write_examples(folder / f"{name}.parquet", part)
    manifest = TaskManifest(
        kind=task.kind,
        labels=found.names,
        max_length=task.max_length,
        truncation=task.truncation,
        metric=task.metric,
        rows={name: len(part) for name, part in splits.items()},
        classes={name: count_labels(part.labels, found.names) for name, part in splits.items()},
        dropped=found.dropped,
        normalised=found.normalised,
        fingerprint={name: fingerprint(part) for name, part in splits.items()},
    )
    write_text(folder / "manifest.json", manifest.model_dump_json(indent=2) + "\n")
    return manifest


def _split(found: Rows, task: Task) -> dict[str, np.ndarray]:
    """The rows of each split: as they came, with what is missing cut from the training rows."""
    strata, origin = strata_of(found.examples.labels), found.origin
    free = np.flatnonzero((origin == "") | (origin == "train"))
    given = {name: np.flatnonzero(origin == name) for name in HELD_OUT}
    cut = stratified_split(
        strata[free],
        0 if len(given["validation"]) else task.split.validation,
        0 if len(given["test"]) else task.split.test,
        task.split.seed,
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


def _refuse_rare(found: Rows) -> None:
    """Refuse classes or labels of which the splits cannot have an example each."""
    for name, count in count_labels(found.examples.labels, found.names).items():
        if count < len(SPLITS):
            only = f"only {count} examples have" if count else "no example has"
            raise ConstrictorError(
                f"{only} the class '{name}', and training, validation and test need one each. Add some, or leave that class "
                f"out with 'filter' (and out of 'labels', where they are given).{_spell_dropped(found.dropped)}"
            )


def refuse_missing_class(
    splits: dict[str, Examples], names: Sequence[str], dropped: Mapping[str, int] | None = None
) -> None:
    """Refuse splits of which one is empty, or leaves a class or label out.

    Args:
        splits: the examples of each.
        names: the classes or labels.
        dropped: rows that were left out before, by the reason.

    Raises:
        ConstrictorError: naming the split and the class.
    """
    for name, part in splits.items():
        missing = [label for label, count in count_labels(part.labels, names).items() if count == 0]
        if missing or not len(part):
            of_class = f" of the class '{missing[0]}'" if missing else ""
            raise ConstrictorError(
                f"the split '{name}' ({len(part)} examples) has no example{of_class}. "
                "Give it a larger share in 'split', raise 'fraction' or 'max_samples' where they are set, leave that class out "
                f"with 'filter', or leave a split whose labels are hidden out of 'source'.{_spell_dropped(dropped or {})}"
            )


def _spell_dropped(dropped: Mapping[str, int]) -> str:
    """
    >>> _spell_dropped({"repeated": 58, "contradicting": 0})
    ' (Rows that were not taken: 58 repeated.)'
    """
    counts = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    return f" (Rows that were not taken: {counts}.)" if counts else ""
