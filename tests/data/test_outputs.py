import numpy as np
import pytest

from constrictor.data.examples import object_array, read_examples
from constrictor.data.outputs import (
    Outputs,
    Predictions,
    read_outputs,
    read_predictions,
    write_outputs,
    write_predictions,
)
from constrictor.errors import ConstrictorError


def _outputs(count: int, seed: int = 0) -> Outputs:
    generator = np.random.default_rng(seed)
    ids = [f"id{number}" for number in range(count)]
    per_token = [generator.normal(size=generator.integers(1, 9)).astype(np.float32) for _ in ids]
    return Outputs(ids, {"logits": generator.normal(size=(count, 3)).astype(np.float32), "start": per_token})


def _predictions(count: int, seed: int) -> Predictions:
    generator = np.random.default_rng(seed)
    ids = [f"id{number}" for number in range(count)]
    spans = object_array([f"span {number}" for number in range(count)])
    outputs = {
        "logits": generator.normal(size=(count, 3)).astype(np.float32),
        "span": spans,
        "score": generator.random(count),
    }
    return Predictions(ids, generator.integers(-1, 3, count), outputs)


def test_outputs_come_back_exactly(tmp_path):
    write_outputs(tmp_path / "x.parquet", _outputs(17))
    found, expected = read_outputs(tmp_path / "x.parquet"), _outputs(17)
    assert found.ids == expected.ids
    np.testing.assert_array_equal(found.arrays["logits"], expected.arrays["logits"])
    assert [row.tolist() for row in found.arrays["start"]] == [row.tolist() for row in expected.arrays["start"]]


def test_predictions_come_back_split_by_split(tmp_path):
    splits = {"validation": _predictions(5, 1), "test": _predictions(9, 2)}
    write_predictions(tmp_path / "x.parquet", splits)
    found = read_predictions(tmp_path / "x.parquet")
    assert list(found) == ["validation", "test"]
    for name in splits:
        assert found[name].ids == splits[name].ids
        np.testing.assert_array_equal(found[name].labels, splits[name].labels)
        for output, values in splits[name].outputs.items():
            np.testing.assert_array_equal(found[name].outputs[output], values)


def test_labels_may_be_whatever_json_holds(tmp_path):
    labels = object_array([[{"text": "a", "start": 3}], []])
    write_predictions(tmp_path / "x.parquet", {"test": Predictions(["1", "2"], labels, {})})
    np.testing.assert_array_equal(read_predictions(tmp_path / "x.parquet")["test"].labels, labels)


def test_missing_outputs_are_called_missing(tmp_path):
    for read in (read_outputs, read_predictions, read_examples):
        with pytest.raises(ConstrictorError, match=r"x\.parquet is missing: .*Run snakemake again"):
            read(tmp_path / "x.parquet")


def test_damaged_outputs_are_named(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"half")
    with pytest.raises(ConstrictorError, match=r"x\.parquet cannot be read"):
        read_outputs(tmp_path / "x.parquet")
