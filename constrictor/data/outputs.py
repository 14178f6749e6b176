"""What a model says about examples: a Parquet file with the columns ``id``, ``label`` and ``logits``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from constrictor.data.examples import label_column, labels_in
from constrictor.files.parquet import read_table, write_table

_COLUMNS = ("id", "label", "logits")


class Outputs(NamedTuple):
    """A model's answers: ids, the labels as the task's kind has them, and ``(examples, outputs)`` float32 logits."""

    ids: list[str]
    labels: np.ndarray
    logits: np.ndarray


def write_outputs(file: Path, outputs: Outputs) -> None:
    """Write outputs as Parquet, whole or not at all."""
    write_table(file, _table(outputs))


def read_outputs(file: Path) -> Outputs:
    """Read what :func:`write_outputs` wrote.

    Raises:
        ConstrictorError: if the file is missing or is not a whole Parquet file.
    """
    return _outputs(read_table(file, *_COLUMNS))


def write_predictions(file: Path, splits: dict[str, Outputs]) -> None:
    """Write the outputs for several splits into one Parquet file, with a column ``split``."""
    tables = [
        _table(outputs).append_column("split", pa.array([name] * len(outputs.ids))) for name, outputs in splits.items()
    ]
    write_table(file, pa.concat_tables(tables))


def read_predictions(file: Path) -> dict[str, Outputs]:
    """Read what :func:`write_predictions` wrote: outputs by split.

    Raises:
        ConstrictorError: if the file is missing or is not a whole Parquet file.
    """
    table = read_table(file, *_COLUMNS, "split")
    names = table["split"].to_pylist()  # split behind split, as they were written
    return {name: _outputs(table.slice(names.index(name), names.count(name))) for name in dict.fromkeys(names)}


def _table(outputs: Outputs) -> pa.Table:
    flat = pa.array(outputs.logits.astype(np.float32).ravel())
    logits = pa.FixedSizeListArray.from_arrays(flat, outputs.logits.shape[1])
    return pa.table({"id": outputs.ids, "label": label_column(outputs.labels), "logits": logits})


def _outputs(table: pa.Table) -> Outputs:
    logits = table["logits"].combine_chunks().flatten().to_numpy()
    return Outputs(table["id"].to_pylist(), labels_in(table), logits.reshape(len(table), -1))
