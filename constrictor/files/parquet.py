"""Our Parquet files: written whole or not at all, with labels of any kind as a column."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from constrictor.errors import ConstrictorError
from constrictor.files.reading import refuse_missing
from constrictor.files.writing import atomic_file


class _WithoutPandas(MetaPathFinder):
    """Lets the import of pandas fail while the block lasts."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Find nothing, and refuse pandas."""
        if name == "pandas":
            raise ModuleNotFoundError(name)

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)

    def __exit__(self, *error: object) -> None:
        sys.meta_path.remove(self)


# With its first array Arrow imports pandas, to know its types if it meets them: a third of a second, more than the rest of
# a small job. It looks once; what really needs pandas (`to_pandas`, `from_pandas`) imports it all the same.
with _WithoutPandas():
    pa.array([])


def write_table(file: Path, table: pa.Table) -> None:
    """Write a table, whole or not at all."""
    with atomic_file(file) as staging:
        pq.write_table(table, staging, compression="zstd")


def read_table(file: Path, *columns: str) -> pa.Table:
    """Read a table that has at least these columns.

    Raises:
        ConstrictorError: if the file is missing, is not a whole Parquet file, or lacks a column.
    """
    with _opened(file, columns) as opened:
        return opened.read()


def read_chunks(file: Path, rows: int, *columns: str) -> Iterator[pa.Table]:
    """The same table, so many rows at a time.

    Raises:
        ConstrictorError: as :func:`read_table` does.
    """
    with _opened(file, columns) as opened:
        for batch in opened.iter_batches(rows):
            yield pa.Table.from_batches([batch])


@contextmanager
def _opened(file: Path, columns: tuple[str, ...]) -> Iterator[pq.ParquetFile]:
    refuse_missing(file)
    try:
        with pq.ParquetFile(file) as opened:
            if lost := [name for name in columns if name not in opened.schema_arrow.names]:
                raise ConstrictorError(f"{file} has no column '{lost[0]}'. Delete it and run snakemake again.")
            yield opened
    except (pa.ArrowException, OSError) as error:
        raise ConstrictorError(f"{file} cannot be read: {error}. Delete it and run snakemake again.") from None
