"""Examples on disk: a Parquet file with the columns ``id``, ``text``, for pairs ``pair``, and ``label``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from constrictor.data.batching import UNLABELLED, Text
from constrictor.files.parquet import read_chunks, read_table, write_table

_COLUMNS = ("id", "text", "label")
_ROWS_AT_ONCE = 16_384  # about 1 kB each, tokens included; many, so that batches of similar length can be made of them


@dataclass(frozen=True)
class Examples:
    """Texts with their ids and labels.

    Attributes:
        ids: one a text, unique in a task or corpus.
        texts: the texts, or pairs of texts.
        labels: ``(examples,)`` class numbers, :data:`UNLABELLED` where there is none; ``(examples, labels)`` zeros and
            ones; or ``(examples,)`` float32 values.
    """

    ids: list[str]
    texts: list[Text]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Examples:
        """The examples at these positions, in their order."""
        return Examples([self.ids[row] for row in rows], [self.texts[row] for row in rows], self.labels[rows])


def unlabelled(ids: list[str], texts: list[Text]) -> Examples:
    """Examples without labels."""
    return Examples(ids, texts, np.full(len(ids), UNLABELLED, dtype=np.int64))


def write_examples(file: Path, examples: Examples) -> None:
    """Write examples as Parquet, whole or not at all."""
    pairs = bool(examples.texts) and not isinstance(examples.texts[0], str)
    texts = (
        dict(zip(("text", "pair"), zip(*examples.texts, strict=True), strict=True))
        if pairs
        else {"text": examples.texts}
    )
    write_table(file, pa.table({"id": examples.ids, **texts, "label": label_column(examples.labels)}))


def read_examples(file: Path) -> Examples:
    """Read examples.

    Raises:
        ConstrictorError: if the file is missing or is not a whole Parquet file.
    """
    return _examples(read_table(file, *_COLUMNS))


def first_examples(file: Path, count: int) -> Examples:
    """The first of the same examples; the rest is not read.

    Raises:
        ConstrictorError: if the file is missing or is not a whole Parquet file.
    """
    return _examples(next(read_chunks(file, count, *_COLUMNS)))


def examples_in_chunks(file: Path) -> Iterator[Examples]:
    """The same examples, some thousands at a time, so that memory does not grow with the file.

    Raises:
        ConstrictorError: if the file is missing or is not a whole Parquet file.
    """
    return map(_examples, read_chunks(file, _ROWS_AT_ONCE, *_COLUMNS))


def _examples(table: pa.Table) -> Examples:
    texts = [table[name].to_pylist() for name in ("text", "pair") if name in table.column_names]
    texts = texts[0] if len(texts) == 1 else list(zip(*texts, strict=True))
    return Examples(table["id"].to_pylist(), texts, labels_in(table))


def fingerprint(examples: Examples) -> str:
    """SHA-256 of the ids, texts and labels in their order."""
    digest = hashlib.sha256()
    for row in zip(examples.ids, examples.texts, examples.labels.tolist(), strict=True):
        digest.update(json.dumps(row, ensure_ascii=False).encode())
    return digest.hexdigest()


def label_column(labels: np.ndarray) -> pa.Array:
    """Labels of any kind as a column: numbers, lists of one length, or whatever JSON can hold."""
    if labels.dtype == object:
        return pa.array(labels.tolist())
    flat = pa.array(labels.ravel())
    return flat if labels.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, labels.shape[1])


def labels_in(table: pa.Table) -> np.ndarray:
    """What :func:`label_column` made a column of."""
    column = table["label"].combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        return column.flatten().to_numpy().reshape(len(table), -1).copy()
    if pa.types.is_list(column.type):
        return object_array(column.to_pylist())
    return column.to_numpy(zero_copy_only=False).copy()


def object_array(values: Sequence[Any]) -> np.ndarray:
    """Objects as an array ``(values,)``, whatever they are.

    >>> object_array([[1], [2]]).shape
    (2,)
    """
    found = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        found[place] = value
    return found
