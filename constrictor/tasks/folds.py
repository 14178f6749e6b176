"""Split a prepared task into folds for cross-validation: a folder a fold, each a prepared task of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from constrictor.data.examples import Examples, fingerprint, read_examples, write_examples
from constrictor.data.splits import in_groups, stratified_sample
from constrictor.data.stratification import stratified_folds
from constrictor.errors import ConstrictorError
from constrictor.files.writing import write_text
from constrictor.study.replicate import Folding
from constrictor.study.splits import SPLITS
from constrictor.tasks.kind import Kind
from constrictor.tasks.manifest import read_task
from constrictor.tasks.prepare import refuse_missing_class, seen_in_training
from constrictor.tasks.registry import kind_of


def make_folds(settings: Folding, task: Path) -> list[dict[str, int]]:
    """Write ``fold0/``, ``fold1/`` ... into a task's folder, each with three splits and, last, its manifest.

    In fold i, part i of the examples is the test split; where the data brought a test split, that one stays, and part i
    is the validation split. Otherwise validation is drawn from the rest.

    Args:
        settings: how to split.
        task: folder of the prepared task.

    Returns:
        Examples a split, for each fold.

    Raises:
        ConstrictorError: if a class has fewer examples than there are folds, or a label examples in one fold only.
    """
    whole = read_task(task / "manifest.json")
    given = {name: read_examples(task / f"{name}.parquet") for name in SPLITS}
    kept = {"test": given.pop("test")} if settings.keep_test else {}
    pool = _pooled(list(given.values()))
    kind = kind_of(whole.task)
    parts = in_groups(
        kind.groups(pool),
        kind.strata(pool.labels),
        lambda strata: stratified_folds(strata, settings.folds, settings.seed),
    )
    _refuse_rare(pool.labels, parts, kind, settings.folds)
    folds = []
    for number in range(settings.folds):
        splits = {**_splits(pool, np.flatnonzero(parts == number), settings, kind), **kept}
        refuse_missing_class(splits, kind)
        for name, part in splits.items():
            write_examples(task / f"fold{number}" / f"{name}.parquet", part)
        manifest = whole.model_copy(
            update={
                "rows": {name: len(splits[name]) for name in SPLITS},
                "classes": {name: kind.count(splits[name].labels) for name in SPLITS},
                "seen_in_training": seen_in_training(splits, kept),
                "fingerprint": {name: fingerprint(splits[name]) for name in SPLITS},
            }
        )
        write_text(task / f"fold{number}" / "manifest.json", manifest.model_dump_json(indent=2) + "\n")
        folds.append(manifest.rows)
    return folds


def _pooled(parts: Sequence[Examples]) -> Examples:
    """All examples in the order of their ids, so that the folds do not depend on how the task was split before."""
    ids = [identity for part in parts for identity in part.ids]
    texts = [text for part in parts for text in part.texts]
    return Examples(ids, texts, np.concatenate([part.labels for part in parts])).take(np.argsort(ids))


def _splits(pool: Examples, held_out: np.ndarray, settings: Folding, kind: Kind) -> dict[str, Examples]:
    """The splits of a fold that are drawn from the pool."""
    rest = np.setdiff1d(np.arange(len(pool)), held_out)
    if settings.keep_test:
        return {"train": pool.take(rest), "validation": pool.take(held_out)}
    validation = rest[_validation(pool.take(rest), settings, kind)]
    return {
        "train": pool.take(np.setdiff1d(rest, validation)),
        "validation": pool.take(validation),
        "test": pool.take(held_out),
    }


def _validation(rest: Examples, settings: Folding, kind: Kind) -> np.ndarray:
    """The examples outside a fold's part that become its validation split."""

    def draw(strata: np.ndarray) -> np.ndarray:
        size = round(len(strata) * settings.validation)
        chosen = np.zeros(len(strata), dtype=bool)
        chosen[stratified_sample(strata, size, settings.seed, leave=1)] = True
        return chosen

    return np.flatnonzero(in_groups(kind.groups(rest), kind.strata(rest.labels), draw))


def _refuse_rare(labels: np.ndarray, parts: np.ndarray, kind: Kind, folds: int) -> None:
    """Refuse classes that some fold could not be tested on, and labels that some fold could not be trained on."""
    strata = kind.strata(labels)
    if strata.ndim == 2:
        for name, column in zip(kind.count(labels), strata.T, strict=True):
            if len(np.unique(parts[column > 0])) < 2:
                raise ConstrictorError(
                    f"the label '{name}' has {int(column.sum())} examples, in one fold of {folds} at most: where that is "
                    "held out, no training example has the label. Leave it out, or collect more examples of it."
                )
        return
    rare = {name: count for name, count in kind.count(labels).items() if count < folds}
    if rare:
        counts = ", ".join(f"'{name}' has {count}" for name, count in rare.items())
        lower = f"Lower 'replicates.folds' to {fewest}, or leave" if (fewest := min(rare.values())) > 1 else "Leave"
        raise ConstrictorError(
            f"{folds} folds need {folds} examples of every class, and {counts}. {lower} such classes out with 'filter'."
        )
