import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from heads import evaluate_on, logits_of
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, recall_score

from constrictor.data.examples import Examples, read_examples, write_examples
from constrictor.data.outputs import read_predictions
from constrictor.runtimes.load import load


@pytest.fixture(scope="module")
def evaluated(tiny_teacher, tiny_task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    evaluate_on(tiny_teacher, tiny_task, folder / "metrics.json", folder / "predictions.parquet")
    rows = pq.read_table(folder / "predictions.parquet").to_pylist()
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8")), rows


@pytest.mark.parametrize("split", ["validation", "test"])
def test_metrics_follow_from_the_saved_predictions(evaluated, split):
    metrics, rows = evaluated
    labels = np.array([row["label"] for row in rows if row["split"] == split])
    logits = np.array([row["logits"] for row in rows if row["split"] == split])
    answers = logits.argmax(axis=1)
    found = metrics[split]
    assert found["examples"] == len(labels) == 24
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, answers))
    assert found["macro_f1"] == pytest.approx(f1_score(labels, answers, average="macro"))
    assert found["weighted_f1"] == pytest.approx(f1_score(labels, answers, average="weighted"))
    assert found["mcc"] == pytest.approx(matthews_corrcoef(labels, answers))
    assert found["loss"] == pytest.approx(-log_softmax(logits, axis=1)[np.arange(24), labels].mean(), rel=1e-5)
    assert found["classes"]["good"]["recall"] == pytest.approx(recall_score(labels, answers, pos_label=1))
    assert found["classes"]["bad"]["examples"] == (labels == 0).sum()


def test_predictions_are_those_of_the_saved_model_on_the_tasks_examples(evaluated, tiny_teacher, tiny_task):
    examples = read_examples(tiny_task / "test.parquet")
    rows = [row for row in evaluated[1] if row["split"] == "test"]
    assert [row["id"] for row in rows] == examples.ids
    assert [row["label"] for row in rows] == examples.labels.tolist()
    expected = logits_of(load(tiny_teacher), examples.texts, batch_size=5)
    np.testing.assert_allclose([row["logits"] for row in rows], expected, atol=1e-5)


def test_a_trained_model_is_right(evaluated):
    assert evaluated[0]["test"]["accuracy"] > 0.9


def test_further_test_sets_are_measured_apart(tiny_teacher, tiny_task, evaluated, tmp_path):
    files = {"other": tiny_task / "train.parquet", "same": tiny_task / "test.parquet"}
    evaluate_on(tiny_teacher, tiny_task, tmp_path / "m.json", tmp_path / "p.parquet", **files)
    metrics = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))
    further = metrics.pop("extra_test_sets")
    assert metrics == evaluated[0]
    assert further["same"] == metrics["test"]
    examples = read_examples(tiny_task / "train.parquet")
    found = read_predictions(tmp_path / "p.parquet")
    assert list(found) == ["validation", "test", "other", "same"]
    assert found["other"].ids == examples.ids
    assert further["other"]["examples"] == len(examples)
    assert further["other"]["accuracy"] == accuracy_score(examples.labels, found["other"].outputs["logits"].argmax(1))


def test_lengths_are_those_of_each_test_set(tiny_teacher, tiny_task, tmp_path):
    examples = Examples(["a", "b"], ["a bad film", "a good " + "film " * 20], np.array([0, 1]))
    write_examples(tmp_path / "long.parquet", examples)
    files = {"long": tmp_path / "long.parquet"}
    evaluate_on(tiny_teacher, tiny_task, tmp_path / "m.json", tmp_path / "p.parquet", **files)
    metrics = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))
    assert metrics["extra_test_sets"]["long"]["lengths"]["max"] == 24
    assert metrics["test"]["lengths"]["max"] < 24
