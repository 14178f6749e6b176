import numpy as np
from heads import logits_of

from constrictor.data import examples as module
from constrictor.data.examples import read_examples
from constrictor.evaluation.predict import predict_file
from constrictor.runtimes.load import load


def test_predictions_are_those_of_the_whole_file_in_its_order(tiny_teacher, tiny_task, monkeypatch):
    runtime, file = load(tiny_teacher), tiny_task / "test.parquet"
    examples = read_examples(file)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 7)
    found = predict_file(runtime, file, batch_size=3).predictions
    assert found.ids == examples.ids
    np.testing.assert_array_equal(found.labels, examples.labels)
    np.testing.assert_allclose(found.outputs["logits"], logits_of(runtime, examples.texts), atol=1e-5)
