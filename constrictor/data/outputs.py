"""Outputs and predictions of a model on disk: Parquet files with a column for each named array."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from constrictor.data.batching import Arrays, RawOutputs
from constrictor.data.examples import label_column, labels_in
from constrictor.files.parquet import read_table, write_table


class Outputs(NamedTuple):
    """A model's outputs for features of examples, as a student is trained on them.

    Attributes:
        ids: for each feature the id of the example that it belongs to.
        arrays: by name ``(features, ...)``, or per token a list of ``(tokens,)``.
    """

    ids: list[str]
    arrays: RawOutputs


class Predictions(NamedTuple):
    """What a model predicts for examples, with what is right.

    Attributes:
        ids: of the examples.
        labels: as the task's kind has them.
        outputs: by name ``(examples, ...)``: all that predictions follow from.
    """

    ids: list[str]
    labels: np.ndarray
    outputs: Arrays


def write_outputs(file: Path, outputs: Outputs) -> None:
    """Write outputs as Parquet, whole or not at all."""
    write_table(file, pa.table({"id": outputs.ids, **_columns(outputs.arrays)}))


def read_outputs(file: Path) -> Outputs:
    """Read what :func:`write_outputs` wrote.

    Raises:
        ConstrictorError: if the file is missing or is not a whole Parquet file.
    """
    table = read_table(file, "id")
    return Outputs(table["id"].to_pylist(), {name: _array(table, name) for name in _names(table)})


def write_predictions(file: Path, splits: dict[str, Predictions]) -> None:
    """Write the predictions for several splits into one Parquet file, with a column ``split``."""
    tables = []
    for name, found in splits.items():
        columns = {"id": found.ids, "label": label_column(found.labels), **_columns(dict(found.outputs))}
        tables.append(pa.table(columns).append_column("split", pa.array([name] * len(found.ids))))
    write_table(file, pa.concat_tables(tables))


def read_predictions(file: Path) -> dict[str, Predictions]:
    """Read what :func:`write_predictions` wrote: predictions by split.

    Raises:
        ConstrictorError: if the file is missing or is not a whole Parquet file.
    """
    whole = read_table(file, "id", "label", "split")
    names = whole["split"].to_pylist()  # split behind split, as they were written
    found = {}
    for name in dict.fromkeys(names):
        table = whole.slice(names.index(name), names.count(name))
        outputs = {output: np.asarray(_array(table, output)) for output in _names(table)}
        found[name] = Predictions(table["id"].to_pylist(), labels_in(table), outputs)
    return found


def _names(table: pa.Table) -> list[str]:
    """The columns that hold outputs."""
    return [name for name in table.column_names if name not in ("id", "label", "split")]


def _columns(arrays: RawOutputs) -> dict[str, pa.Array]:
    return {name: _column(values) for name, values in arrays.items()}


def _column(values: np.ndarray | list[np.ndarray]) -> pa.Array:
    if isinstance(values, list):
        return pa.array(values, type=pa.list_(pa.float32()))
    if values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32).ravel()), values.shape[1])
    return pa.array(values.tolist() if values.dtype == object else values)


def _array(table: pa.Table, name: str) -> np.ndarray | list[np.ndarray]:
    """What :func:`_column` made a column of."""
    column = table[name].combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        return column.flatten().to_numpy().reshape(len(table), -1)
    if pa.types.is_list(column.type):
        return [part.values.to_numpy() for part in column]
    return column.to_numpy(zero_copy_only=False)
