import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from constrictor.metrics.regression import Regression, ranks

PROBLEM = Regression(["score"])


def _draw(examples: int, seed: int, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 6, examples).astype(np.float32) + offset
    return (labels + generator.normal(size=examples))[:, None].astype(np.float32), labels


@pytest.mark.parametrize(("examples", "offset"), [(50, 0.0), (500, 1000.0)])
def test_all_metrics_equal_scipy_and_scikit_learn(examples, offset):
    logits, labels = _draw(examples, 1, offset)
    answers = logits[:, 0].astype(float)
    found = PROBLEM.evaluate(logits, labels)
    pearson, spearman = stats.pearsonr(labels, answers).statistic, stats.spearmanr(labels, answers).statistic
    assert found["pearson"] == pytest.approx(pearson, abs=1e-5)
    assert found["spearman"] == pytest.approx(spearman, abs=1e-9)
    assert found["pearson_spearman"] == pytest.approx((pearson + spearman) / 2, abs=1e-5)
    assert found["r2"] == pytest.approx(reference.r2_score(labels, answers), abs=1e-5)
    assert found["loss"] == pytest.approx(reference.mean_squared_error(labels, answers))
    details = PROBLEM.details(labels, answers)
    assert details["mean_absolute_error"] == pytest.approx(reference.mean_absolute_error(labels, answers))
    assert details["rmse"] == pytest.approx(reference.root_mean_squared_error(labels, answers))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_ranks_equal_scipys(values):
    np.testing.assert_array_equal(ranks(np.array(values)), stats.rankdata(values))


def test_one_answer_for_all_has_no_correlation():
    labels = np.array([1.0, 2.0, 3.0], np.float32)
    assert PROBLEM.evaluate(np.full((3, 1), 0.3, np.float32), labels)["pearson_spearman"] == 0


def test_nothing_is_decided_and_answers_do_not_agree():
    logits, labels = _draw(20, 2)
    assert PROBLEM.tune(logits, labels, "pearson") is None
    assert PROBLEM.agreement(labels, labels) is None
