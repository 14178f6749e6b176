import pytest
from scipy import stats

from constrictor.student_t import t_quantile


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 4.5, 7, 30, 1000])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_quantiles_are_those_of_scipy(degrees, level):
    assert t_quantile(degrees, level) == pytest.approx(stats.t.ppf((1 + level) / 2, degrees), rel=2e-3)
