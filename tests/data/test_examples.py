import numpy as np
import pytest

from constrictor.data import examples as module
from constrictor.data.examples import Examples, examples_in_chunks, read_examples, write_examples
from constrictor.data.outputs import Outputs, write_outputs
from constrictor.errors import ConstrictorError


@pytest.fixture(params=["texts", "pairs", "several labels"])
def written(request, tmp_path):
    texts = [f"text {row}" for row in range(10)]
    if request.param == "pairs":
        texts = [(text, f"answer to {text}") for text in texts]
    labels = np.arange(20).reshape(10, 2) % 2 if request.param == "several labels" else np.arange(10) % 3
    examples = Examples([f"id{row}" for row in range(10)], texts, labels)
    write_examples(tmp_path / "e.parquet", examples)
    return tmp_path / "e.parquet", examples


def test_chunks_are_the_file_in_order_and_no_larger_than_they_may_be(written, monkeypatch):
    file, examples = written
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 4)
    chunks = list(examples_in_chunks(file))
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]
    assert [each for chunk in chunks for each in chunk.ids] == examples.ids
    assert [text for chunk in chunks for text in chunk.texts] == examples.texts
    np.testing.assert_array_equal(np.concatenate([chunk.labels for chunk in chunks]), examples.labels)


@pytest.mark.parametrize("read", [read_examples, lambda file: list(examples_in_chunks(file))])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), "is missing: it was deleted"),
        (lambda file: file.write_bytes(file.read_bytes()[:200]), "cannot be read: .*Delete it and run snakemake again"),
    ],
)
def test_a_file_that_is_no_longer_whole_is_refused(written, read, damage, message):
    file = written[0]
    damage(file)
    with pytest.raises(ConstrictorError, match=message):
        read(file)


def test_a_table_of_something_else_is_refused(tmp_path):
    file = tmp_path / "o.parquet"
    write_outputs(file, Outputs(["1"], {"logits": np.zeros((1, 2))}))
    with pytest.raises(ConstrictorError, match="has no column 'text'"):
        list(examples_in_chunks(file))
