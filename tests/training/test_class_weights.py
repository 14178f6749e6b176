import numpy as np
import pytest
import torch
from heads import task_record
from sklearn.utils.class_weight import compute_class_weight

from constrictor.errors import ConstrictorError
from constrictor.study.steps.distil import SoftTargets
from constrictor.tasks.classification import model
from constrictor.training.objective import output_loss

NAMES = ["negative", "neutral", "positive"]


def _weights(wanted, labels):
    return model.loss_weights(wanted, {"labels": labels}, task_record(NAMES))


def test_balanced_is_that_of_sklearn_and_unlabelled_rows_do_not_count():
    labels = np.random.default_rng(0).choice(3, size=100, p=[0.7, 0.2, 0.1])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    found = _weights("balanced", np.concatenate([labels, np.full(50, -100)]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_class_without_an_example_weighs_as_if_it_had_one():
    found = _weights("balanced", np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(found, [4 / 9, 4 / 3, 4 / 3], rtol=1e-6)


def test_named_weights_and_ones_for_the_rest():
    found = _weights({"positive": 3.0, "negative": 0.5}, np.array([0]))
    assert found.tolist() == [0.5, 1.0, 3.0]
    assert _weights(None, np.array([0])) is None


def test_unknown_class_is_refused():
    with pytest.raises(ConstrictorError, match=r"no class 'positiv'\. Did you mean 'positive'\?"):
        _weights({"positiv": 3.0}, np.array([0]))


@pytest.mark.parametrize("soft", [None, SoftTargets(alpha=0.0, temperature=1.0)])
def test_weights_reach_the_label_loss(soft):
    logits, labels = torch.tensor([[1.0, 2.0, 0.5], [0.1, 0.2, 0.3]]), torch.tensor([2, 1])
    weights = torch.tensor([0.5, 1.0, 3.0])
    found = output_loss(model, soft, weights)(
        {"logits": logits}, {"labels": labels, "teacher_logits": torch.zeros(2, 3), "done": torch.tensor(0.0)}
    )
    probabilities = logits.double().exp() / logits.double().exp().sum(dim=1, keepdim=True)
    expected = torch.stack([-3.0 * probabilities[0, 2].log(), -1.0 * probabilities[1, 1].log()])
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)


def test_soft_targets_are_not_weighed():
    logits, teacher = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([[0.0, 1.0, 0.0]])
    targets = {"labels": torch.tensor([2]), "teacher_logits": teacher, "done": torch.tensor(0.0)}
    soft = SoftTargets(alpha=1.0)
    assert torch.equal(
        output_loss(model, soft)({"logits": logits}, targets),
        output_loss(model, soft, torch.tensor([9.0, 9.0, 9.0]))({"logits": logits}, targets),
    )
