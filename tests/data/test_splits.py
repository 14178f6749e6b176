import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from constrictor.data.splits import stratified_sample, stratified_split

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=300).map(np.array)
SEEDS = st.integers(0, 1000)


@given(LABELS, st.floats(0, 1), SEEDS)
def test_sample_has_the_requested_size_and_the_shares_of_the_classes(labels, share, seed):
    size = round(share * len(labels))
    rows = stratified_sample(labels, size, seed)
    assert len(rows) == size
    assert (np.diff(rows) > 0).all()
    for label in np.unique(labels):
        wanted = size * (labels == label).mean()
        assert abs((labels[rows] == label).sum() - wanted) < 1


@given(LABELS, st.floats(0, 0.4), st.floats(0, 0.4), SEEDS)
def test_split_is_disjoint_complete_and_stratified(labels, validation, test, seed):
    splits = stratified_split(labels, validation, test, seed)
    assert np.array_equal(np.sort(np.concatenate(list(splits.values()))), np.arange(len(labels)))
    assert len(splits["test"]) == round(len(labels) * test)
    assert len(splits["validation"]) == round(len(labels) * validation)
    for name, share in (("validation", validation), ("test", test)):
        for label in np.unique(labels):
            held_out = (labels[splits[name]] == label).sum()
            assert abs(held_out - share * (labels == label).sum()) < 2.5


@given(LABELS, SEEDS)
def test_same_seed_gives_the_same_rows(labels, seed):
    first, second = (stratified_split(labels, 0.2, 0.2, seed) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_rows():
    labels = np.arange(200) % 2
    draws = {tuple(stratified_sample(labels, 20, seed)) for seed in range(10)}
    assert len(draws) == 10
    tests = {tuple(stratified_split(labels, 0.1, 0.1, seed)["test"]) for seed in range(10)}
    assert len(tests) == 10


def test_every_row_of_a_class_has_the_same_chance():
    labels = np.array([0] * 10 + [1] * 10)
    counts = np.zeros(20)
    for seed in range(2000):
        counts[stratified_sample(labels, 10, seed)] += 1
    assert abs(counts / 2000 - 0.5).max() < 0.06


def test_validation_and_test_are_not_drawn_alike():
    splits = stratified_split(np.zeros(100, dtype=int), 0.3, 0.3, 5)
    assert len(set(splits["test"]) & set(splits["validation"])) == 0


def test_nothing_from_nothing():
    assert stratified_sample(np.array([], dtype=int), 0, 0).tolist() == []


@given(st.lists(st.integers(3, 40), min_size=2, max_size=5), SEEDS)
def test_every_class_is_in_every_split_however_rare_it_is(counts, seed):
    labels = np.repeat(np.arange(len(counts) + 1), [*counts, 200])
    splits = stratified_split(labels, 0.1, 0.1, seed)
    assert {name: len(rows) for name, rows in splits.items() if name != "train"} == {
        "validation": round(len(labels) * 0.1),
        "test": round(len(labels) * 0.1),
    }
    for rows in splits.values():
        assert len(np.unique(labels[rows])) == len(counts) + 1


def test_a_sample_of_two_has_both_classes_where_both_can_spare_one():
    labels = np.repeat([0, 1], [20, 2])
    assert sorted(labels[stratified_sample(labels, 2, 0, leave=1)]) == [0, 1]
    assert labels[stratified_sample(labels, 2, 0, leave=2)].tolist() == [0, 0]


@given(st.lists(st.integers(3, 40), min_size=2, max_size=5), SEEDS)
def test_training_keeps_every_class_too(counts, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    splits = stratified_split(labels, 0.4, 0.55, seed)
    if len(splits["train"]) >= len(counts):
        assert len(np.unique(labels[splits["train"]])) == len(counts)


def test_rows_with_several_labels_are_split_by_label():
    labels = (np.random.default_rng(1).random((300, 3)) < [0.05, 0.3, 0.6]).astype(float)
    splits = stratified_split(labels, 0.1, 0.2, 0)
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [210, 30, 60]
    assert np.array_equal(np.sort(np.concatenate(list(splits.values()))), np.arange(300))
    for name, share in (("validation", 0.1), ("test", 0.2)):
        assert abs(labels[splits[name]].sum(axis=0) - share * labels.sum(axis=0)).max() < 2
