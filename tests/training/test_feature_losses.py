import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from constrictor.training.feature_losses import hidden_loss, relation_loss, relation_scores

RNG = np.random.default_rng(0)
LENGTHS = (5, 2, 3)
MASK = (np.arange(5) < np.array(LENGTHS)[:, None]).astype(np.int64)


@pytest.fixture
def states() -> tuple[np.ndarray, np.ndarray]:
    return RNG.normal(size=(3, 5, 6)), RNG.normal(size=(3, 5, 6))


def _tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.tensor(array) for array in arrays]


@pytest.mark.parametrize("loss", ["mse", "cosine"])
def test_hidden_loss_by_hand_over_real_tokens(states, loss):
    student, teacher = states
    expected = []
    for row, length in enumerate(LENGTHS):
        of_tokens = []
        for s, t in zip(student[row, :length], teacher[row, :length], strict=True):
            cosine = s @ t / np.sqrt((s @ s) * (t @ t))
            of_tokens.append(1 - cosine if loss == "cosine" else ((s - t) ** 2).mean())
        expected.append(np.mean(of_tokens))
    np.testing.assert_allclose(hidden_loss(*_tensors(student, teacher, MASK), loss).numpy(), expected, rtol=1e-10)


def test_scores_by_hand(states):
    left, right = states
    found = relation_scores(*_tensors(left, right), 2).numpy()
    assert found.shape == (3, 2, 5, 5)
    for row, head, i, j in np.ndindex(found.shape):
        part = slice(3 * head, 3 * head + 3)
        assert found[row, head, i, j] == pytest.approx(left[row, i, part] @ right[row, j, part] / np.sqrt(3))


@pytest.mark.parametrize("loss", ["kl", "mse"])
def test_relation_loss_by_hand_over_real_tokens(loss):
    student, teacher = RNG.normal(size=(2, 3, 2, 5, 5)) * 3
    expected = []
    for row, n in enumerate(LENGTHS):
        of_rows = []
        for head, token in np.ndindex(2, n):
            s, t = student[row, head, token, :n], teacher[row, head, token, :n]
            kl = (softmax(t) * (log_softmax(t) - log_softmax(s))).sum()
            of_rows.append(kl if loss == "kl" else ((s - t) ** 2).mean())
        expected.append(np.mean(of_rows))
    np.testing.assert_allclose(relation_loss(*_tensors(student, teacher, MASK), loss).numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("loss", ["kl", "mse"])
def test_padding_gets_no_gradient_and_no_nan(loss):
    student = torch.randn(3, 2, 5, 5, requires_grad=True)
    relation_loss(student, torch.randn(3, 2, 5, 5), torch.tensor(MASK), loss).sum().backward()
    real = torch.tensor(MASK).bool()
    pairs = (real[:, None, :, None] & real[:, None, None, :]).expand_as(student)
    assert (student.grad[~pairs] == 0).all()
    assert (student.grad[pairs] != 0).all()
