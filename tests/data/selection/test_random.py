import numpy as np

from constrictor.data.examples import Examples
from constrictor.data.selection.random import random_order
from constrictor.study.corpora import Subset

POOL = Examples([str(row) for row in range(40)], ["text"] * 40, np.arange(40) % 4)


def test_a_uniform_order_has_every_row_once_and_depends_on_the_seed():
    orders = [random_order(Subset(of="p", size=5, seed=seed), POOL, None) for seed in (1, 1, 2)]
    assert all(sorted(order) == list(range(40)) for order in orders)
    assert orders[0].tolist() == orders[1].tolist() != orders[2].tolist()


def test_strata_keep_their_proportions():
    rows = random_order(Subset(of="p", size=10, seed=3), POOL, np.array([0] * 20 + [1] * 16 + [2] * 4))
    assert np.bincount(np.digitize(rows, [20, 36])).tolist() == [5, 4, 1]


def test_strata_may_be_several_labels_per_row():
    labels = np.stack([np.arange(40) % 2, np.arange(40) % 4 == 0], axis=1).astype(int)
    rows = random_order(Subset(of="p", size=20, seed=3), POOL, labels)
    assert labels[rows].sum(axis=0).tolist() == [10, 5]
