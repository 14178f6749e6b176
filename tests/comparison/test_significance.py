import math

import pytest
from scipy import stats

from constrictor.comparison.intervals import Spread
from constrictor.comparison.significance import holm, mcnemar_exact, p_value


@pytest.mark.parametrize(("better", "worse"), [(0, 1), (3, 9), (40, 61), (61, 40), (0, 30), (5, 5), (900, 1000)])
def test_mcnemar_equals_scipys_binomial_test(better, worse):
    assert mcnemar_exact(better, worse) == pytest.approx(stats.binomtest(better, better + worse).pvalue)


def test_models_that_never_differ_have_p_1():
    assert mcnemar_exact(0, 0) == 1


@pytest.mark.parametrize("difference", [0.0, 0.001, -0.02, 0.05])
def test_p_value_of_one_seed_is_that_of_the_normal_test(difference):
    expected = 2 * stats.norm.sf(abs(difference) / 0.01)
    assert p_value(difference, Spread(0.01**2)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("degrees", [1, 2, 4])
def test_p_value_is_that_of_students_test_where_the_trainings_are_all(degrees):
    expected = 2 * stats.t.sf(2.5, degrees)
    assert p_value(-0.025, Spread(0.0, 0.01**2, degrees)) == pytest.approx(expected, rel=1e-5)


def test_p_value_is_below_five_percent_where_the_interval_leaves_out_0():
    for difference in (0.0281, 0.0283):
        spread = Spread(0.01**2, 0.005**2, 3)
        assert (p_value(difference, spread) < 0.05) == (difference > spread.half_width())


def test_p_value_is_unknown_where_the_variance_is():
    assert math.isnan(p_value(0.1, Spread(math.nan)))


def test_holm_by_hand():
    # Four times the smallest, three times the next, then no less than that, and no more than 1.
    assert holm([0.9, 0.02, 0.001, 0.025]) == pytest.approx([0.9, 0.06, 0.004, 0.06])
    assert holm([0.7, 0.8]) == [1, 1]
    assert holm([]) == []
