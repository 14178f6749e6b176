import numpy as np
import pytest
from heads import kind_with, scores_of
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from constrictor.tasks.regression.metrics import ranks

KIND = kind_with(["score"], "regression")


def _draw(examples: int, seed: int, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 6, examples).astype(np.float32) + offset
    return (labels + generator.normal(size=examples))[:, None].astype(np.float32), labels


@pytest.mark.parametrize(("examples", "offset"), [(50, 0.0), (500, 1000.0)])
def test_all_metrics_equal_scipy_and_scikit_learn(examples, offset):
    logits, labels = _draw(examples, 1, offset)
    answers = logits[:, 0].astype(float)
    found = scores_of(KIND, logits, labels)
    pearson, spearman = stats.pearsonr(labels, answers).statistic, stats.spearmanr(labels, answers).statistic
    assert found["pearson"] == pytest.approx(pearson, abs=1e-5)
    assert found["spearman"] == pytest.approx(spearman, abs=1e-9)
    assert found["pearson_spearman"] == pytest.approx((pearson + spearman) / 2, abs=1e-5)
    assert found["r2"] == pytest.approx(reference.r2_score(labels, answers), abs=1e-5)
    assert found["loss"] == pytest.approx(reference.mean_squared_error(labels, answers))
    details = KIND.details(labels, answers)
    assert details["mean_absolute_error"] == pytest.approx(reference.mean_absolute_error(labels, answers))
    assert details["rmse"] == pytest.approx(reference.root_mean_squared_error(labels, answers))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_ranks_equal_scipys(values):
    np.testing.assert_array_equal(ranks(np.array(values)), stats.rankdata(values))


def test_a_resample_is_measured_as_if_its_examples_were_all_there_are():
    logits, labels = _draw(60, 3, offset=20.0)
    answers = logits[:, 0].astype(float)
    rows = np.random.default_rng(4).integers(0, 60, 60)
    measured = {
        name: float(measure.value(measure.terms(labels, answers)[rows].sum(axis=0)))
        for name, measure in KIND.measures.items()
    }
    pearson = stats.pearsonr(labels[rows], answers[rows]).statistic
    # Examples keep the ranks that they have among all.
    spearman = stats.pearsonr(stats.rankdata(labels)[rows], stats.rankdata(answers)[rows]).statistic
    assert measured == pytest.approx(
        {
            "pearson": pearson,
            "spearman": spearman,
            "pearson_spearman": (pearson + spearman) / 2,
            "r2": reference.r2_score(labels[rows], answers[rows]),
        },
        abs=1e-5,
    )


def test_values_far_from_zero_stay_distinct():
    generator = np.random.default_rng(5)
    labels = 1e8 + generator.normal(size=100)
    answers = labels + generator.normal(size=100)
    expected = stats.pearsonr(labels - 1e8, answers - 1e8).statistic
    for far in (answers, answers - 2e8):
        assert KIND.scores(labels, far)["pearson"] == pytest.approx(expected, abs=1e-6)


def test_labels_that_do_not_vary_are_explained_by_nothing():
    found = scores_of(KIND, np.array([[0.1], [0.2], [0.4]], np.float32), np.full(3, 2.0, np.float32))
    assert {name: found[name] for name in KIND.measures} == dict.fromkeys(KIND.measures, 0)


def test_one_prediction_for_all_has_no_correlation():
    labels = np.array([1.0, 2.0, 3.0], np.float32)
    assert scores_of(KIND, np.full((3, 1), 0.3, np.float32), labels)["pearson_spearman"] == 0


def test_nothing_is_decided_and_there_is_no_agreement():
    logits, labels = _draw(20, 2)
    assert KIND.tune({"logits": logits}, labels, "pearson") is None
    assert KIND.agreement(labels, labels) is None
