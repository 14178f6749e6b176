"""What a model says about examples: a Parquet file with the columns ``id``, ``label`` and ``logits``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from constrictor.artifacts.reading import refuse_missing
from constrictor.artifacts.writing import atomic_file
from constrictor.data.examples import label_column, labels_in
from constrictor.errors import ConstrictorError


class Outputs(NamedTuple):
    """A model's answers: ids, the labels as the task's kind has them, and ``(examples, outputs)`` float32 logits."""

    ids: list[str]
    labels: np.ndarray
    logits: np.ndarray


def write_outputs(file: Path, outputs: Outputs) -> None:
    """Write outputs as Parquet, whole or not at all."""
    _write(file, _table(outputs))


def read_outputs(file: Path) -> Outputs:
    """Read outputs.

    Raises:
        ConstrictorError: if the file is missing or is not a whole Parquet file.
    """
    return _outputs(_read(file))


def write_predictions(file: Path, splits: dict[str, Outputs]) -> None:
    """Write the outputs for several splits into one Parquet file, with a column ``split``."""
    tables = [
        _table(outputs).append_column("split", pa.array([name] * len(outputs.ids))) for name, outputs in splits.items()
    ]
    _write(file, pa.concat_tables(tables))


def read_predictions(file: Path) -> dict[str, Outputs]:
    """Read what :func:`write_predictions` wrote.

    Raises:
        ConstrictorError: if the file is missing or is not a whole Parquet file.
    """
    table = _read(file)
    return {name: _outputs(table.filter(pc.field("split") == name)) for name in table["split"].unique().to_pylist()}


def _table(outputs: Outputs) -> pa.Table:
    flat = pa.array(outputs.logits.astype(np.float32).ravel())
    logits = pa.FixedSizeListArray.from_arrays(flat, outputs.logits.shape[1])
    return pa.table({"id": outputs.ids, "label": label_column(outputs.labels), "logits": logits})


def _outputs(table: pa.Table) -> Outputs:
    logits = table["logits"].combine_chunks().flatten().to_numpy()
    return Outputs(table["id"].to_pylist(), labels_in(table), logits.reshape(len(table), -1))


def _write(file: Path, table: pa.Table) -> None:
    with atomic_file(file) as staging:
        pq.write_table(table, staging, compression="zstd")


def _read(file: Path) -> pa.Table:
    refuse_missing(file)
    try:
        return pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise ConstrictorError(f"{file} cannot be read: {error}. Delete it and run snakemake again.") from None
