"""Examples on disk: a Parquet file with the columns ``id``, ``text`` and, where there are labels, ``label``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from constrictor.artifacts.writing import atomic_file
from constrictor.errors import ConstrictorError

UNLABELLED = -100
"""The label of an example that has none: the value that torch's cross-entropy ignores."""


@dataclass(frozen=True)
class Examples:
    """Texts with their ids and class numbers.

    Attributes:
        ids: one a text, unique in a task or corpus.
        texts: the texts.
        labels: ``(examples,)`` class numbers, :data:`UNLABELLED` where there is none.
    """

    ids: list[str]
    texts: list[str]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Examples:
        """The examples at these positions, in their order."""
        return Examples([self.ids[row] for row in rows], [self.texts[row] for row in rows], self.labels[rows])


def unlabelled(ids: list[str], texts: list[str]) -> Examples:
    """Examples without labels."""
    return Examples(ids, texts, np.full(len(ids), UNLABELLED, dtype=np.int64))


def write_examples(file: Path, examples: Examples) -> None:
    """Write examples as Parquet, whole or not at all."""
    table = pa.table({"id": examples.ids, "text": examples.texts, "label": pa.array(examples.labels, pa.int64())})
    with atomic_file(file) as staging:
        pq.write_table(table, staging, compression="zstd")


def read_examples(file: Path) -> Examples:
    """Read examples.

    Raises:
        ConstrictorError: if the file is not a whole Parquet file.
    """
    try:
        table = pq.read_table(file, columns=["id", "text", "label"])
    except (pa.ArrowException, OSError) as error:
        raise ConstrictorError(f"{file} cannot be read: {error}. Delete it and run snakemake again.") from None
    return Examples(
        table["id"].to_pylist(), table["text"].to_pylist(), table["label"].to_numpy().astype(np.int64, copy=True)
    )
