import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from constrictor.data.batching import pad
from constrictor.training.batches import Collator, LengthBuckets
from constrictor.training.data import TrainingData


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=200),
    batch_size=st.integers(1, 17),
    seed=st.integers(0, 1000),
    epoch=st.integers(0, 5),
)
def test_order_is_a_permutation_of_all_rows_and_repeatable(lengths, batch_size, seed, epoch):
    orders = []
    for _ in range(2):
        buckets = LengthBuckets(lengths, batch_size, seed)
        buckets.epoch = epoch
        orders.append(list(buckets))
    assert sorted(orders[0]) == list(range(len(lengths)))
    assert orders[0] == orders[1]


@given(lengths=st.lists(st.integers(1, 60), min_size=40, max_size=200), batch_size=st.integers(2, 9))
def test_full_batches_are_runs_of_the_sorted_lengths(lengths, batch_size):
    order = list(LengthBuckets(lengths, batch_size, 0))
    full = len(order) // batch_size * batch_size
    batches = np.array(lengths)[order[:full]].reshape(-1, batch_size)
    runs = np.sort(batches.ravel()).reshape(-1, batch_size)
    assert sorted(map(tuple, np.sort(batches, axis=1))) == sorted(map(tuple, runs))


def test_epochs_and_seeds_differ_in_order_and_in_composition():
    def batches(seed: int, epoch: int) -> list[frozenset[int]]:
        buckets = LengthBuckets([5] * 64, 8, seed)
        buckets.epoch = epoch
        return [frozenset(batch) for batch in np.array(list(buckets)).reshape(-1, 8).tolist()]

    assert set(batches(0, 0)) != set(batches(0, 1))
    assert set(batches(0, 0)) != set(batches(1, 0))
    assert batches(0, 1) == batches(0, 1)


def test_batches_do_not_come_by_length():
    order = np.array(list(LengthBuckets(list(range(400)), 4, 0))).reshape(-1, 4)
    assert not (np.diff(order.min(axis=1)) > 0).all()


@pytest.mark.parametrize("grouped", [True, False])
def test_batches_hold_one_length_or_any(grouped):
    lengths = [2, 9] * 64
    data = TrainingData([np.zeros(length, int) for length in lengths], 0, grouped_by_length=grouped)
    order = np.array(list(LengthBuckets(data.group_of, 16, 0))).reshape(-1, 16)
    assert {len({lengths[row] for row in batch}) for batch in order} == ({1} if grouped else {2})


def test_incomplete_batch_is_drawn_from_all_lengths():
    lasts = set()
    for epoch in range(30):
        buckets = LengthBuckets(list(range(33)), 8, 0)
        buckets.epoch = epoch
        lasts.add(list(buckets)[-1])
    assert min(lasts) < 11
    assert max(lasts) > 21


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=12), min_size=1, max_size=9))
def test_pad_keeps_every_token_and_masks_the_rest(sequences):
    batch = pad([np.array(sequence) for sequence in sequences], pad_id=0)
    longest = max(map(len, sequences))
    assert batch["input_ids"].tolist() == [sequence + [0] * (longest - len(sequence)) for sequence in sequences]
    assert batch["attention_mask"].tolist() == [
        [1] * len(sequence) + [0] * (longest - len(sequence)) for sequence in sequences
    ]
    assert batch["input_ids"].dtype == batch["attention_mask"].dtype == np.int64


def test_collator_fetches_rows_with_their_targets():
    encoded = [np.array([5]), np.array([6, 7]), np.array([8, 9, 10])]
    collate = Collator(encoded, 1, labels=np.array([10, 11, 12]), teacher_logits=np.arange(6.0).reshape(3, 2))
    batch = collate([2, 0])
    assert batch["input_ids"].tolist() == [[8, 9, 10], [5, 1, 1]]
    assert batch["labels"].tolist() == [12, 10]
    assert torch.equal(batch["teacher_logits"], torch.tensor([[4.0, 5.0], [0.0, 1.0]], dtype=torch.float64))


@pytest.mark.parametrize("rows", [1, 7, 8, 9])
def test_length_is_the_number_of_rows(rows):
    assert len(LengthBuckets([3] * rows, 8, 0)) == rows
