import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy as torch_cross_entropy

from constrictor.tasks.kind import Features
from constrictor.tasks.question_answering.spans import best_answers, best_span, cross_entropy
from constrictor.tasks.question_answering.windows import Window

CONTEXT = "one two three four five"
OFFSETS = np.array([[0, 3], [4, 7], [8, 13], [14, 18], [19, 23]])


@given(
    st.integers(1, 12).flatmap(lambda n: st.tuples(*[st.lists(st.integers(-50, 50), min_size=n, max_size=n)] * 2)),
    st.integers(1, 15),
)
def test_best_span_is_the_best_of_all_pairs(logits, limit):
    start, end = (np.array(part, float) for part in logits)
    pairs = [(start[i] + end[j], i, j) for i in range(len(start)) for j in range(i, min(i + limit, len(start)))]
    score, first, last = best_span(start, end, limit)
    assert score == max(pairs)[0]
    assert (score, first, last) in pairs


def _features() -> Features:
    """Two windows of one context behind a question of two tokens, and one of another."""
    windows = [Window(2, OFFSETS[:3]), Window(2, OFFSETS[2:]), Window(2, OFFSETS)]
    encoded = [np.zeros((3 + len(window.offsets), 2), int) for window in windows]
    return Features(encoded, np.array([0, 0, 1]), np.array([8, 8]), windows)


def test_the_best_window_predicts_and_the_least_null_score_counts():
    #           null ?  one two three .      null ?  three four five .     null ?  ...
    starts = [[9.0, 99, 0, 3, 0, 99], [1.0, 99, 0, 5, 0, 99], [2.0, 99, 1, 0, 0, 0, 0, 99]]
    ends = [[1.0, 99, 0, 0, 1, 99], [3.0, 99, 0, 0, 2, 99], [2.0, 99, 0, 1, 0, 0, 0, 99]]
    found = best_answers(
        [np.array(row) for row in starts], [np.array(row) for row in ends], _features(), [CONTEXT] * 2, 30
    )
    assert found.texts.tolist() == ["four five", "one two"]
    assert found.scores.tolist() == [7.0, 2.0]
    assert found.null_scores.tolist() == [4.0, 4.0]


def test_cross_entropy_is_that_of_torch_and_nothing_without_a_label():
    logits = [np.random.default_rng(length).normal(size=length).astype(np.float32) for length in (3, 7)]
    expected = [
        torch_cross_entropy(torch.from_numpy(row)[None], torch.tensor([place])).item()
        for row, place in zip(logits, (2, 0), strict=True)
    ]
    assert cross_entropy(logits, np.array([2, 0])) == pytest.approx(expected, rel=1e-5)
    assert np.isnan(cross_entropy(logits, np.array([-100, 0]))).tolist() == [True, False]
