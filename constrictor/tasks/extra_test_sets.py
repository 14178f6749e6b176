"""Prepare an extra test set of a task: read it as the task's own rows are read, and keep it apart from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from constrictor.data.duplicates import same_text_key
from constrictor.data.examples import read_examples, write_examples
from constrictor.errors import ConstrictorError
from constrictor.study.splits import SPLITS
from constrictor.study.tasks.task import Task
from constrictor.tasks.manifest import read_task
from constrictor.tasks.registry import reader_of


def prepare_extra_test(task: Task, name: str, folder: Path, target: Path) -> dict[str, int]:
    """Write an extra test set.

    What the task's own splits hold already is left out: a model was trained on it, or is examined on it there.

    Args:
        task: the task's settings.
        name: which of its `extra_test_sets`.
        folder: the prepared task.
        target: the Parquet file to write.

    Returns:
        How many rows were left out, by the reason; and as ``rows``, how many stayed.

    Raises:
        ConstrictorError: for everything that :func:`~constrictor.tasks.rows.read_rows` refuses, a label that the task has not,
            and if no row is left.
    """
    reader, record = reader_of(task.kind), read_task(folder / "manifest.json").task
    try:
        found = reader.read_rows(reader.as_test_set(task, task.extra_test_sets[name], record))
    except ConstrictorError as error:
        raise ConstrictorError(f"the extra test set '{name}': {error}") from None
    taken = {same_text_key(text) for split in SPLITS for text in read_examples(folder / f"{split}.parquet").texts}
    new = np.array([same_text_key(text) not in taken for text in found.examples.texts])
    if not new.any():
        raise ConstrictorError(
            f"the extra test set '{name}' holds no text that the task's own splits have not. Leave it out."
        )
    write_examples(target, found.examples.take(np.flatnonzero(new)))
    return {**found.dropped, "in the task's own splits": int((~new).sum()), "rows": int(new.sum())}
