import numpy as np
import pytest
from heads import kind_with, scores_of
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from constrictor.tasks.classification.metrics import (
    METRICS,
    confusion_matrix,
    cross_entropy,
    per_class,
    precision_recall_f1,
)


def _evaluate(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return scores_of(kind_with([f"class{number}" for number in range(logits.shape[1])]), logits, labels)


CASES = [(2, 200, 0), (3, 50, 1), (7, 300, 2), (3, 1, 3), (5, 4, 4)]


def _draw(classes: int, examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return 3 * generator.normal(size=(examples, classes)), generator.integers(0, classes, examples)


def _reference(labels: np.ndarray, predictions: np.ndarray, classes: int) -> dict[str, float]:
    every = {"labels": range(classes), "zero_division": 0}
    return {
        "accuracy": reference.accuracy_score(labels, predictions),
        "macro_f1": reference.f1_score(labels, predictions, average="macro", **every),
        "weighted_f1": reference.f1_score(labels, predictions, average="weighted", **every),
        "mcc": reference.matthews_corrcoef(labels, predictions),
    }


@pytest.mark.parametrize(("classes", "examples", "seed"), CASES)
def test_all_metrics_equal_scikit_learn(classes, examples, seed):
    logits, labels = _draw(classes, examples, seed)
    found = _evaluate(logits, labels)
    expected = _reference(labels, logits.argmax(1), classes)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert found["loss"] == pytest.approx(reference.log_loss(labels, probabilities, labels=range(classes)))


@given(st.integers(2, 5).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, n - 1)] * 2), min_size=1, max_size=40)))
def test_metrics_equal_scikit_learn_also_when_classes_are_missing(pairs):
    labels, predictions = np.array(pairs).T
    confusion = confusion_matrix(labels, predictions, 5)
    found = {name: float(metric(confusion)) for name, metric in METRICS.items()}
    assert found == pytest.approx(_reference(labels, predictions, 5), abs=1e-12)


@pytest.mark.parametrize(("classes", "examples", "seed"), CASES)
def test_per_class_equals_scikit_learn(classes, examples, seed):
    logits, labels = _draw(classes, examples, seed)
    names = [f"class{number}" for number in range(classes)]
    columns = reference.precision_recall_fscore_support(
        labels, logits.argmax(1), labels=range(classes), zero_division=0
    )
    for name, precision, recall, f1, support in zip(names, *columns, strict=True):
        assert per_class(confusion_matrix(labels, logits.argmax(1), classes), names)[name] == pytest.approx(
            {"precision": precision, "recall": recall, "f1": f1, "examples": support}
        )


def test_confusion_matrix_has_the_true_class_first():
    labels, predictions = np.array([0, 0, 1, 2, 2, 2]), np.array([1, 0, 1, 0, 0, 2])
    expected = reference.confusion_matrix(labels, predictions, labels=range(4))
    np.testing.assert_array_equal(confusion_matrix(labels, predictions, 4), expected)


def test_many_confusion_matrices_at_once():
    counts = np.random.default_rng(0).integers(0, 9, (4, 6, 3, 3))
    for metric in METRICS.values():
        found = metric(counts)
        assert found.shape == (4, 6)
        assert found[2, 3] == pytest.approx(float(metric(counts[2, 3])))


def test_one_prediction_for_all_has_no_correlation():
    labels = np.array([0, 1, 0, 1])
    found = _evaluate(np.tile([1.0, 0.0], (4, 1)), labels)
    assert found["mcc"] == 0
    assert found["macro_f1"] == pytest.approx(1 / 3)


def test_right_and_wrong_everywhere():
    labels = np.array([0, 1, 1])
    assert _evaluate(np.eye(2)[labels], labels)["mcc"] == 1
    assert _evaluate(np.eye(2)[1 - labels], labels)["mcc"] == -1


def test_precision_of_a_class_that_is_never_predicted_is_zero():
    precision, recall, f1 = precision_recall_f1(np.array([[5, 0], [3, 0]]))
    assert (precision[1], recall[1], f1[1]) == (0, 0, 0)


def test_cross_entropy_of_large_logits_is_exact():
    assert cross_entropy(np.array([[1000.0, 0.0], [0.0, 1000.0]]), np.array([0, 0])).tolist() == [0, 1000]


def test_cross_entropy_of_equal_logits_is_the_log_of_their_number():
    assert cross_entropy(np.full((3, 4), 7.0, np.float32), np.array([0, 1, 3])) == pytest.approx(np.log(4))


def test_f1_is_that_of_the_second_class():
    logits, labels = _draw(2, 80, 7)
    assert _evaluate(logits, labels)["f1"] == pytest.approx(reference.f1_score(labels, logits.argmax(1)))


def test_f1_of_one_class_is_no_metric_of_three():
    assert kind_with(["a", "b"]).measures.keys() - kind_with(["a", "b", "c"]).measures.keys() == {"f1"}


def test_a_probability_at_the_threshold_is_a_yes():
    assert kind_with(["no", "yes"]).predict_at({"logits": np.array([[1.0, 1.0]])}, np.array([0.5])).tolist() == [1]


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "mcc", "f1"])
def test_tuned_threshold_is_the_best_of_all(metric):
    logits, labels = _draw(2, 60, 8)
    kind = kind_with(["no", "yes"])
    found = kind.tune({"logits": logits}, labels, metric)
    probability = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    every = {
        cut: kind.scores(labels, (probability >= cut).astype(int))[metric]
        for cut in [0.5, *probability, *(probability + 1e-9)]
    }
    tuned = kind.scores(labels, kind.predict_at({"logits": logits}, found))[metric]
    assert tuned == pytest.approx(max(every.values()))
    assert tuned > every[0.5]  # so that the test distinguishes tuning from none


def test_more_than_two_classes_have_no_threshold():
    logits, labels = _draw(3, 50, 1)
    assert kind_with(["a", "b", "c"]).tune({"logits": logits}, labels, "accuracy") is None
