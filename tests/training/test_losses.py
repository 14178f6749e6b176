import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax
from scipy.stats import entropy
from sklearn.metrics import log_loss

from constrictor.data.batching import UNLABELLED
from constrictor.study.steps.distil import SoftTargets
from constrictor.tasks.classification import model as of_classes
from constrictor.tasks.losses import hard_target_loss, logit_mse, soft_target_loss
from constrictor.tasks.multilabel import model as of_label_sets
from constrictor.tasks.multilabel.model import binary_hard_target_loss, binary_soft_target_loss
from constrictor.tasks.regression import model as of_values
from constrictor.training.objective import output_loss

MODELS = {"multilabel": of_label_sets, "regression": of_values}


def label_loss(logits, labels, losses=of_classes):
    return losses.label_loss({"logits": logits}, {"labels": labels})


def binary_loss(logits, labels):
    return label_loss(logits, labels, of_label_sets)


def distillation_loss(logits, labels, teacher, alpha, temperature, loss="kl"):
    batch = {"labels": labels, "teacher_logits": teacher, "done": torch.tensor(0.0)}
    soft = SoftTargets(alpha=alpha, temperature=temperature, loss=loss)
    return output_loss(of_classes, soft)({"logits": logits}, batch)


LOGITS = np.array([[1.0, 3.0, -2.0], [0.2, 0.1, 0.0], [-4.0, 2.0, 5.0]])
TEACHER = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0], [-3.0, 2.5, 4.0]])
LABELS = np.array([1, UNLABELLED, 2])


def _kl(teacher: np.ndarray, student: np.ndarray, temperature: float) -> np.ndarray:
    p = softmax(teacher / temperature, axis=1)
    return (p * (np.log(p) - log_softmax(student / temperature, axis=1))).sum(axis=1)


def test_label_loss_is_negative_log_likelihood_and_zero_without_label():
    expected = -log_softmax(LOGITS, axis=1)[[0, 1, 2], [1, 0, 2]]
    expected[1] = 0
    np.testing.assert_allclose(label_loss(torch.tensor(LOGITS), torch.tensor(LABELS)).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_soft_target_loss_is_kl_from_the_teacher_times_squared_temperature(temperature):
    found = soft_target_loss(torch.tensor(LOGITS), torch.tensor(TEACHER), temperature).numpy()
    np.testing.assert_allclose(found, temperature**2 * _kl(TEACHER, LOGITS, temperature), rtol=1e-10)


def test_squared_temperature_keeps_the_size_of_the_gradient():
    def gradient(temperature: float) -> np.ndarray:
        logits = torch.tensor(LOGITS, requires_grad=True)
        soft_target_loss(logits, torch.tensor(TEACHER), temperature).sum().backward()
        return logits.grad.numpy()

    centred = (LOGITS - LOGITS.mean(1, keepdims=True)) - (TEACHER - TEACHER.mean(1, keepdims=True))
    np.testing.assert_allclose(gradient(1e4), centred / 3, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_distillation_loss_by_hand(alpha):
    found = distillation_loss(torch.tensor(LOGITS), torch.tensor(LABELS), torch.tensor(TEACHER), alpha, 3.0).numpy()
    hard = -log_softmax(LOGITS, axis=1)[[0, 1, 2], [1, 0, 2]] * [1, 0, 1]
    np.testing.assert_allclose(found, alpha * 9 * _kl(TEACHER, LOGITS, 3.0) + (1 - alpha) * hard, rtol=1e-10)


def test_unlabelled_example_keeps_the_soft_term_alone():
    found = distillation_loss(torch.tensor(LOGITS), torch.tensor(LABELS), torch.tensor(TEACHER), 0.3, 2.0)
    soft = soft_target_loss(torch.tensor(LOGITS), torch.tensor(TEACHER), 2.0)
    assert found[1] == 0.3 * soft[1]


def test_gradient_equals_finite_differences():
    labels, teacher = torch.tensor(LABELS), torch.tensor(TEACHER)
    logits = torch.tensor(LOGITS, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: distillation_loss(x, labels, teacher, 0.4, 2.5), (logits,))


def test_gradient_in_closed_form():
    temperature, alpha = 2.5, 0.4
    logits = torch.tensor(LOGITS, requires_grad=True)
    distillation_loss(logits, torch.tensor(LABELS), torch.tensor(TEACHER), alpha, temperature).sum().backward()
    soft = temperature * (softmax(LOGITS / temperature, axis=1) - softmax(TEACHER / temperature, axis=1))
    hard = (softmax(LOGITS, axis=1) - np.eye(3)[[1, 0, 2]]) * np.array([[1], [0], [1]])
    np.testing.assert_allclose(logits.grad.numpy(), alpha * soft + (1 - alpha) * hard, atol=1e-10)


def test_large_logits_stay_finite():
    logits, teacher = torch.tensor([[1e4, -1e4]]), torch.tensor([[-1e4, 1e4]])
    assert torch.isfinite(distillation_loss(logits, torch.tensor([0]), teacher, 0.5, 1.0)).all()


MANY = np.array([[1.0, 0.0, 1.0], [np.nan, np.nan, np.nan], [0.0, 0.0, 1.0]], np.float32)


def test_binary_loss_equals_scikit_learn_a_label_at_a_time():
    found = binary_loss(torch.tensor(LOGITS), torch.tensor(MANY)).numpy()
    probabilities = 1 / (1 + np.exp(-LOGITS))
    for row in (0, 2):
        each = [
            log_loss([truth], [[1 - p, p]], labels=[0, 1])
            for truth, p in zip(MANY[row], probabilities[row], strict=True)
        ]
        assert found[row] == pytest.approx(np.mean(each))
    assert found[1] == 0


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_binary_soft_target_loss_is_kl_of_each_decision(temperature):
    found = binary_soft_target_loss(torch.tensor(LOGITS), torch.tensor(TEACHER), temperature).numpy()
    p, q = (expit(part / temperature) for part in (TEACHER, LOGITS))
    each = entropy(np.stack([p, 1 - p]), np.stack([q, 1 - q]), axis=0)
    np.testing.assert_allclose(found, temperature**2 * each.mean(axis=1), rtol=1e-10)


def test_squared_losses_by_hand():
    logits, teacher = torch.tensor([[1.5], [2.0], [-1.0]]), torch.tensor([[1.0], [4.0], [-1.0]])
    labels = torch.tensor([2.0, float("nan"), -3.0])
    assert label_loss(logits, labels, of_values).tolist() == [0.25, 0.0, 4.0]
    assert of_values.DISTILLATION_LOSSES["kl"]({"logits": logits}, {"logits": teacher}, {}, 2.0).tolist() == [
        0.25,
        4.0,
        0.0,
    ]


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_no_label_gives_no_gradient_that_is_not_a_number(kind):
    logits = torch.tensor([[300.0, -300.0], [0.1, 0.2]])[:, : 2 if kind == "multilabel" else 1].requires_grad_()
    labels = torch.full(logits.shape, float("nan"))
    label_loss(logits, labels if kind == "multilabel" else labels[:, 0], MODELS[kind]).sum().backward()
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_logit_mse_is_the_mean_squared_difference_whatever_the_temperature():
    expected = np.array(
        [((student - teacher) ** 2).sum() / 3 for student, teacher in zip(LOGITS, TEACHER, strict=True)]
    )
    for temperature in (1.0, 4.0):
        found = logit_mse(torch.tensor(LOGITS), torch.tensor(TEACHER), temperature).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_kl_at_a_high_temperature_is_half_the_mse_of_centred_logits():
    centred = [x - x.mean(1, keepdims=True) for x in (LOGITS, TEACHER)]
    kl = soft_target_loss(torch.tensor(LOGITS), torch.tensor(TEACHER), 1e4).numpy()
    np.testing.assert_allclose(kl, logit_mse(*map(torch.tensor, centred)).numpy() / 2, rtol=1e-3)


def test_hard_targets_are_the_teachers_predictions():
    expected = -log_softmax(LOGITS, axis=1)[[0, 1, 2], [0, 2, 2]]
    found = hard_target_loss(torch.tensor(LOGITS), torch.tensor(TEACHER), 3.0).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["mse", "hard"])
def test_other_losses_of_logits_mix_with_labels_alike(name):
    arguments = torch.tensor(LOGITS), torch.tensor(LABELS), torch.tensor(TEACHER)
    loss = {"mse": logit_mse, "hard": hard_target_loss}[name]
    hard = -log_softmax(LOGITS, axis=1)[[0, 1, 2], [1, 0, 2]] * [1, 0, 1]
    expected = 0.3 * loss(arguments[0], arguments[2], 2.0).numpy() + 0.7 * hard
    np.testing.assert_allclose(distillation_loss(*arguments, 0.3, 2.0, name).numpy(), expected, rtol=1e-10)


def test_hard_targets_of_several_labels_are_the_teachers_decisions():
    found = binary_hard_target_loss(torch.tensor(LOGITS), torch.tensor(TEACHER))
    decisions = torch.tensor((TEACHER >= 0).astype(float))
    assert torch.equal(found, binary_loss(torch.tensor(LOGITS), decisions))
