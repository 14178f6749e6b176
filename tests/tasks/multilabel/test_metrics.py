import numpy as np
import pytest
from heads import kind_with, scores_of
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference


def _draw(labels: int, examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = (generator.random((examples, labels)) < 0.3).astype(np.float32)
    return 2 * generator.normal(size=(examples, labels)) + truth - 1, truth


def _reference(truth: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    return {
        "macro_f1": reference.f1_score(truth, answers, average="macro", zero_division=0),
        "micro_f1": reference.f1_score(truth, answers, average="micro", zero_division=0),
        "weighted_f1": reference.f1_score(truth, answers, average="weighted", zero_division=0),
        "exact_match": reference.accuracy_score(truth, answers),
    }


@pytest.mark.parametrize(("labels", "examples"), [(2, 50), (6, 200), (3, 1)])
def test_all_metrics_equal_scikit_learn(labels, examples):
    logits, truth = _draw(labels, examples, labels)
    kind = kind_with([f"label{number}" for number in range(labels)], "multilabel")
    found = scores_of(kind, logits, truth)
    expected = _reference(truth, (logits >= 0).astype(int))
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    probabilities = 1 / (1 + np.exp(-logits))
    each = [reference.log_loss(truth[:, k], probabilities[:, k], labels=[0, 1]) for k in range(labels)]
    assert found["loss"] == pytest.approx(np.mean(each))


@given(st.lists(st.tuples(*[st.integers(0, 1)] * 6), min_size=1, max_size=30))
def test_metrics_equal_scikit_learn_also_where_a_label_is_never_there(rows):
    truth, answers = np.array(rows)[:, :3], np.array(rows)[:, 3:]
    found = kind_with(["a", "b", "c"], "multilabel").scores(truth, answers)
    assert found == pytest.approx(_reference(truth, answers), abs=1e-6)


def test_resamples_are_measured_each_by_itself():
    logits, truth = _draw(3, 40, 6)
    kind = kind_with(["a", "b", "c"], "multilabel")
    answers = kind.predict({"logits": logits})
    draws = np.random.default_rng(7).integers(0, 40, (5, 40))
    expected = [_reference(truth[rows], answers[rows]) for rows in draws]
    for name, measure in kind.measures.items():
        found = measure.value(measure.terms(truth, answers)[draws].sum(axis=1))
        assert found == pytest.approx([scores[name] for scores in expected], abs=1e-6)


def test_a_probability_of_one_half_is_a_yes():
    kind, logits = kind_with(["a", "b"], "multilabel"), np.array([[0.0, -1e-6]])
    assert (
        kind.predict({"logits": logits}).tolist()
        == kind.predict_at({"logits": logits}, np.array([0.5, 0.5])).tolist()
        == [[1, 0]]
    )


def test_details_equal_scikit_learn():
    logits, truth = _draw(3, 100, 5)
    kind = kind_with(["a", "b", "c"], "multilabel")
    answers = kind.predict({"logits": logits})
    found = kind.details(truth, answers)
    columns = reference.precision_recall_fscore_support(truth, answers, zero_division=0)
    for name, precision, recall, f1, support in zip("abc", *columns, strict=True):
        expected = {"precision": precision, "recall": recall, "f1": f1, "examples": support}
        assert found["classes"][name] == pytest.approx(expected)
    assert found["hamming_loss"] == pytest.approx(reference.hamming_loss(truth, answers))


def test_each_label_gets_the_threshold_that_is_best_for_its_f1():
    logits, truth = _draw(3, 80, 9)
    kind = kind_with(["a", "b", "c"], "multilabel")
    thresholds = kind.tune({"logits": logits}, truth, "macro_f1")
    tuned = kind.predict_at({"logits": logits}, thresholds)
    for column in range(3):
        every = [reference.f1_score(truth[:, column], logits[:, column] >= cut) for cut in logits[:, column]]
        assert reference.f1_score(truth[:, column], tuned[:, column]) == pytest.approx(max(every))
    assert kind.scores(truth, tuned)["macro_f1"] > scores_of(kind, logits, truth)["macro_f1"] + 0.02


def test_agreement_counts_examples_whose_labels_are_all_the_same():
    one, other = np.array([[1, 0], [1, 1], [0, 0]]), np.array([[1, 0], [1, 0], [0, 0]])
    assert kind_with(["a", "b"], "multilabel").agreement(one, other) == pytest.approx(2 / 3)
