import pytest
from scipy import stats

from constrictor.student_t import normal_quantile, t_quantile


@pytest.mark.parametrize("level", [0.01, 0.6, 0.95, 1 - 1e-6])
@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 30])
def test_quantiles_equal_scipys(degrees, level):
    assert t_quantile(degrees, level) == pytest.approx(stats.t.isf((1 - level) / 2, degrees), rel=1e-8)
    assert normal_quantile(level) == pytest.approx(stats.norm.isf((1 - level) / 2))
