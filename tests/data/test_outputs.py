import numpy as np
import pytest

from constrictor.data.examples import read_examples
from constrictor.data.outputs import Outputs, read_outputs, read_predictions, write_outputs, write_predictions
from constrictor.errors import ConstrictorError


def _outputs(count: int, seed: int = 0) -> Outputs:
    generator = np.random.default_rng(seed)
    ids = [f"id{number}" for number in range(count)]
    return Outputs(ids, generator.integers(-1, 3, count), generator.normal(size=(count, 3)).astype(np.float32))


def _assert_equal(left: Outputs, right: Outputs) -> None:
    assert left.ids == right.ids
    np.testing.assert_array_equal(left.labels, right.labels)
    np.testing.assert_array_equal(left.logits, right.logits)


def test_outputs_come_back_exactly(tmp_path):
    write_outputs(tmp_path / "x.parquet", _outputs(17))
    _assert_equal(read_outputs(tmp_path / "x.parquet"), _outputs(17))


def test_predictions_come_back_split_by_split(tmp_path):
    splits = {"validation": _outputs(5, 1), "test": _outputs(9, 2)}
    write_predictions(tmp_path / "x.parquet", splits)
    found = read_predictions(tmp_path / "x.parquet")
    assert list(found) == ["validation", "test"]
    for name in splits:
        _assert_equal(found[name], splits[name])


def test_missing_outputs_are_called_missing(tmp_path):
    for read in (read_outputs, read_predictions, read_examples):
        with pytest.raises(ConstrictorError, match=r"x\.parquet is missing: .*Run snakemake again"):
            read(tmp_path / "x.parquet")


def test_damaged_outputs_are_named(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"half")
    with pytest.raises(ConstrictorError, match=r"x\.parquet cannot be read"):
        read_outputs(tmp_path / "x.parquet")
