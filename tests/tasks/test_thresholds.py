import numpy as np
import pytest

from constrictor.tasks.classification.metrics import accuracy
from constrictor.tasks.thresholds import best_threshold


@pytest.mark.parametrize(
    ("scores", "truth", "threshold"),
    [
        ([0.1, 0.2, 0.9], [False, False, True], 0.5),  # 0.55 is as good
        ([0.1, 0.2, 0.4], [False, True, True], 0.15),
        ([0.6, 0.7, 0.9], [False, False, True], 0.8),
        ([0.2, 0.3, 0.4, 0.9], [True, False, True, True], 0.35),  # 0 is as good, and further from one half
        ([0.0, 0.4], [True, True], 0.0),  # always yes, also where the score is nothing
    ],
)
def test_of_equally_good_thresholds_the_one_nearest_to_one_half_is_taken(scores, truth, threshold):
    assert best_threshold(np.array(scores), np.array(truth), accuracy) == pytest.approx(threshold)


def test_a_score_of_one_can_be_predicted_negative():
    assert best_threshold(np.array([0.6, 1.0]), np.array([False, False]), accuracy) > 1
