import numpy as np
import pytest
from scipy.stats import entropy

from constrictor.compression.quantization.ranges import (
    BINS,
    LEVELS,
    TAILS,
    Observed,
    entropy_range,
    extreme_range,
    percentile_range,
    rounding_divergence,
)


def _seen(values: np.ndarray, parts: int = 7) -> Observed:
    """As calibration sees values: in parts, twice."""
    observed = Observed()
    for look in (observed.extend, observed.count):
        for part in np.array_split(values, parts):
            look(part)
    return observed


@pytest.mark.parametrize("shift", [-9.0, -2.0, 0.0, 2.0, 9.0])
def test_ranges_are_numpys_extremes_and_percentiles_and_hold_zero(shift):
    values = np.random.default_rng(0).normal(shift, 1.0, 200_000).astype(np.float32)
    seen = _seen(values)
    low, high = min(values.min(), 0), max(values.max(), 0)
    assert extreme_range(seen) == (low, high)
    assert seen.counts.sum() == len(values)
    bin_width = float(high - low) / BINS
    expected = np.percentile(values, [100 * TAILS / 2, 100 - 100 * TAILS / 2])
    found = percentile_range(seen)
    assert found[0] == pytest.approx(min(0, expected[0]), abs=1.01 * bin_width)
    assert found[1] == pytest.approx(max(0, expected[1]), abs=1.01 * bin_width)


def test_tails_are_cut_at_the_edges_of_bins():
    counts = np.zeros(BINS, np.int64)
    counts[[100, 3000]] = 1_000_000
    counts[[0, 50, 3500, BINS - 1]] = 40  # a side's half of the tails is 100
    edges = np.linspace(-3.0, 5.0, BINS + 1)
    assert percentile_range(Observed(-3.0, 5.0, counts)) == (edges[100], edges[3001])
    counts[[50, 3500]] = 80
    assert percentile_range(Observed(-3.0, 5.0, counts)) == (edges[50], edges[3501])


def _slow_divergence(counts: np.ndarray, start: int, end: int) -> float:
    window = counts[start:end].astype(float)
    p = window.copy()
    p[0] += counts[:start].sum()
    p[-1] += counts[end:].sum()
    q = np.zeros_like(window)
    levels = [index * LEVELS // len(window) for index in range(len(window))]
    for level in range(LEVELS):
        members = [index for index in range(len(window)) if levels[index] == level]
        filled = [index for index in members if p[index] > 0]
        for index in filled:
            q[index] = window[members].sum() / len(filled)
    q[p > 0] = np.maximum(q[p > 0], 1e-4)
    return entropy(p[p > 0], q[p > 0])


@pytest.mark.parametrize(("start", "end"), [(0, 4096), (700, 3400), (1500, 2600)])
def test_divergence_is_scipys(start, end):
    counts = np.histogram(np.random.default_rng(1).standard_t(3, 50_000), 4096, (-10, 10))[0]
    assert rounding_divergence(counts, start, end) == pytest.approx(_slow_divergence(counts, start, end), rel=1e-3)


# The last: of a lonely tail the narrowest window would win, and is too narrow to be rounded.
@pytest.mark.parametrize(("mean", "spread", "count"), [(2, 9, 300), (-2, 9, 300), (2, 1, 300), (0, 60, 3)])
def test_entropy_takes_the_limit_of_least_divergence(mean, spread, count):
    generator = np.random.default_rng(0)
    seen = _seen(np.concatenate([generator.normal(size=30_000), generator.normal(mean, spread, count)]))
    edges = np.linspace(seen.low, seen.high, BINS + 1)
    tried = []
    for limit in max(-seen.low, seen.high) * np.linspace(1, 1 / 16, 64):
        inside = np.flatnonzero((edges[1:] > -limit) & (edges[:-1] < limit))
        if len(inside) >= 2 * LEVELS:
            window = inside[0], inside[-1] + 1
            tried.append((rounding_divergence(seen.counts, *window), *window))
    _, start, end = min(tried)
    assert entropy_range(seen) == (edges[start], edges[end])
    assert end - start < BINS


def test_entropy_keeps_what_is_evenly_spread_and_cuts_a_lonely_tail():
    random = np.random.default_rng(2)
    even = random.uniform(-1, 1, 400_000)
    low, high = entropy_range(_seen(even))
    assert (low, high) == pytest.approx((-1, 1), abs=0.05)
    lonely = np.concatenate([random.normal(size=400_000), [60.0]])
    low, high = entropy_range(_seen(lonely))
    assert 2 < high < 30
    assert lonely.min() * 1.01 <= low < 0


def test_values_at_both_ends_are_not_clipped_to_a_window_that_holds_none():
    ends = np.random.default_rng(0).uniform(0.9, 1, 10_000) * np.repeat([-1, 1], 5_000)  # as a saturated tanh gives
    low, high = entropy_range(_seen(ends))
    assert low < -0.9
    assert high > 0.9


def test_a_tensor_of_one_sign_keeps_its_side():
    values = np.abs(np.random.default_rng(3).normal(size=100_000))
    for choose in (extreme_range, percentile_range, entropy_range):
        low, high = choose(_seen(values))
        assert low == 0
        assert high > 1
