import numpy as np
import pytest
from scipy.special import expit

from constrictor.tasks.measure import divide, sigmoid


def test_sigmoid_equals_scipys_also_for_large_numbers():
    logits = np.array([-1000, -30, -1.5, 0, 0.1, 20, 1000], np.float32)
    assert sigmoid(logits) == pytest.approx(expit(logits.astype(float)), abs=1e-12)


def test_nothing_is_divided_by_nothing():
    assert divide(np.array([1, 3]), np.array([0, 2])).tolist() == [0, 1.5]
