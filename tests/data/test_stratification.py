import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from constrictor.data.stratification import iterative_parts, stratified_folds

CODES = st.lists(st.integers(0, 4), min_size=2, max_size=300).map(np.array)
FOLDS = st.integers(2, 7)
SEEDS = st.integers(0, 1000)


@st.composite
def labelled(draw) -> np.ndarray:
    """Rows with any number of labels, some of them rare."""
    rows, count, seed = draw(st.integers(1, 150)), draw(st.integers(1, 6)), draw(SEEDS)
    generator = np.random.default_rng(seed)
    return (generator.random((rows, count)) < generator.uniform(0, 1, count)).astype(float)


@given(CODES, FOLDS, SEEDS)
def test_folds_are_a_partition_and_differ_by_one_row_at_most_in_all_and_in_every_class(codes, folds, seed):
    found = stratified_folds(codes, folds, seed)
    assert found.shape == codes.shape
    for rows in (found, *(found[codes == code] for code in np.unique(codes))):
        sizes = np.bincount(rows, minlength=folds)
        assert len(sizes) == folds
        assert np.ptp(sizes) <= 1


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_are_as_even_as_those_of_scikit_learn(folds):
    codes = np.random.default_rng(folds).choice(4, 300, p=[0.6, 0.25, 0.1, 0.05])
    parts = [codes[test] for _, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(codes, codes)]
    theirs = np.array([np.bincount(part, minlength=4) for part in parts])
    found = stratified_folds(codes, folds, 0)
    ours = np.array([np.bincount(codes[found == fold], minlength=4) for fold in range(folds)])
    assert np.array_equal(np.sort(ours, axis=0), np.sort(theirs, axis=0))


@given(labelled(), FOLDS, SEEDS)
def test_folds_of_rows_with_several_labels_differ_by_one_row_at_most(labels, folds, seed):
    found = stratified_folds(labels, folds, seed)
    assert found.shape == (len(labels),)
    assert np.ptp(np.bincount(found, minlength=folds)) <= 1
    assert found.max() < folds


@pytest.mark.parametrize("seed", range(25))
def test_every_label_has_its_share_of_every_fold(seed):
    generator = np.random.default_rng(seed)
    rows, count, folds = generator.integers(20, 400), generator.integers(1, 8), generator.integers(2, 8)
    labels = generator.random((rows, count)) < generator.uniform(0.02, 0.6, count)
    found = stratified_folds(labels.astype(float), folds, seed)
    counts = np.array([labels[found == fold].sum(axis=0) for fold in range(folds)])
    assert abs(counts - labels.sum(axis=0) / folds).max() < 2


def test_a_rare_label_is_spread_though_it_always_comes_with_a_common_one():
    labels = np.zeros((100, 2))
    labels[:60, 0] = labels[:5, 1] = 1
    found = stratified_folds(labels, 5, 3)
    assert np.bincount(found[labels[:, 1] > 0], minlength=5).tolist() == [1] * 5
    assert np.bincount(found[labels[:, 0] > 0], minlength=5).tolist() == [12] * 5


def test_parts_of_unequal_size_take_labels_in_proportion():
    labels = (np.random.default_rng(0).random((200, 4)) < [0.1, 0.2, 0.5, 0.7]).astype(float)
    parts = iterative_parts(labels, [160, 40], 0)
    assert np.bincount(parts).tolist() == [160, 40]
    assert abs(labels[parts == 1].sum(axis=0) - labels.sum(axis=0) / 5).max() < 2


@pytest.mark.parametrize("strata", [np.arange(60) % 3, (np.arange(120).reshape(60, 2) % 7 < 3).astype(float)])
def test_the_seed_decides(strata):
    assert np.array_equal(stratified_folds(strata, 4, 1), stratified_folds(strata, 4, 1))
    assert len({stratified_folds(strata, 4, seed).tobytes() for seed in range(8)}) == 8
