import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from constrictor.compression.quantization.ranges import RANGES, entropy_range, minmax_range, percentile_range


def _histogram(values: np.ndarray, bins: int = 2048) -> tuple[np.ndarray, np.ndarray]:
    return np.histogram(values, bins)


def test_minmax_is_all():
    values = np.random.default_rng(0).normal(size=1000)
    assert minmax_range(*_histogram(values)) == (values.min(), values.max())


@given(seed=st.integers(0, 1000), share=st.sampled_from([0.9, 0.99, 0.999]))
def test_percentiles_are_those_of_numpy_to_a_bin(seed, share):
    values = np.random.default_rng(seed).standard_t(3, size=20_000)
    counts, edges = _histogram(values)
    width = edges[1] - edges[0]
    low, high = percentile_range(counts, edges, share)
    expected = np.quantile(values, [(1 - share) / 2, 1 - (1 - share) / 2], method="inverted_cdf")
    np.testing.assert_allclose([low, high], expected, atol=1.01 * width)
    assert ((values >= low) & (values <= high)).mean() >= share


def _divergence_by_hand(counts: np.ndarray, first: int, end: int, levels: int) -> float:
    """KL of a range, bin by bin."""
    p = [float(count) for count in counts[first:end]]
    p[0] += float(counts[:first].sum())
    p[-1] += float(counts[end:].sum())
    q = [0.0] * len(p)
    for level in range(levels):
        members = [bin for bin in range(len(p)) if bin * levels // len(p) == level and p[bin] > 0]
        mass = sum(float(counts[first + bin]) for bin in members)
        for bin in members:
            q[bin] = mass / len(members) or 0.5
    return float(entropy(p, q))


@pytest.mark.parametrize("seed", range(4))
def test_entropy_takes_the_best_of_its_candidates(seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(size=4000), rng.uniform(-9, 12, size=40)])
    counts, edges = _histogram(values, 128)
    levels, candidates = 16, 20
    tried = []
    for limit in np.linspace(np.abs(edges).max(), 0, candidates, endpoint=False):
        inside = [bin for bin in range(128) if edges[bin] >= -limit and edges[bin + 1] <= limit]
        if len(inside) >= levels:
            first, end = inside[0], inside[-1] + 1
            tried.append((_divergence_by_hand(counts, first, end, levels), edges[first], edges[end]))
    best = min(tried, key=lambda found: found[0])
    assert len({found[1:] for found in tried}) > 5
    np.testing.assert_allclose(entropy_range(counts, edges, levels, candidates), best[1:])


def test_entropy_leaves_outliers_out_and_a_uniform_distribution_alone():
    rng = np.random.default_rng(0)
    outliers = np.concatenate([rng.normal(size=200_000), [60.0, -40.0]])
    low, high = entropy_range(*_histogram(outliers))
    assert -20 < low < -2
    assert 2 < high < 20
    low, high = entropy_range(*_histogram(rng.uniform(-1, 1, size=500_000)))
    assert low < -0.95
    assert high > 0.95


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (3.0, 3.0), (2.0, 5.0), (-5.0, -2.0)])
def test_odd_inputs_give_a_range_inside_what_was_seen(name, low, high):
    counts = np.zeros(2048, dtype=np.int64)
    counts[[0, 1000, -1]] = 5
    found = RANGES[name](counts, np.linspace(low, high, 2049))
    assert low <= found[0] <= found[1] <= high
