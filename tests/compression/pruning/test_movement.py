from functools import partial

import torch
from torch.nn.utils import parametrize

from constrictor.compression.pruning.masked import mask_gradually
from constrictor.compression.pruning.movement import MovementMask


def test_gradients_are_those_of_a_dense_copy_times_weight_and_mask():
    torch.manual_seed(0)
    linear, inputs = torch.nn.Linear(6, 4), torch.randn(5, 6)
    weight = linear.weight.detach().clone()
    mask = MovementMask(weight, score_lr=1.0)
    mask.kept.copy_(torch.rand(4, 6) > 0.5)
    mask.scores.data.normal_()
    parametrize.register_parametrization(linear, "weight", mask)
    outputs = linear(inputs)
    outputs.pow(3).sum().backward()

    dense = (weight * mask.kept).requires_grad_()
    expected = inputs @ dense.T + linear.bias.detach()
    expected.pow(3).sum().backward()
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(mask.scores.grad, dense.grad * weight)
    torch.testing.assert_close(linear.parametrizations.weight.original.grad, dense.grad * mask.kept)


def test_what_shrinks_goes_even_where_it_is_large_and_may_come_back():
    linear = torch.nn.Linear(8, 2, bias=False)
    linear.weight.data = torch.tensor([[3.0] * 4 + [0.1] * 4] * 2)
    pruned = mask_gradually({"a": linear}, partial(MovementMask, score_lr=1e4), 0.5, "layer")
    optimizer = torch.optim.AdamW(linear.parameters(), lr=1e-3)

    def train(target: torch.Tensor, shares: list[float]) -> None:
        for share in shares:
            optimizer.zero_grad()
            (linear.weight - target).pow(2).sum().backward()
            optimizer.step()
            pruned.after_step(share)

    shrinking_first = torch.tensor([[0.0] * 4 + [1.0] * 4] * 2)
    train(shrinking_first, [step / 30 for step in range(1, 31)])
    assert linear.weight[:, :4].eq(0).all()
    assert linear.weight[:, 4:].ne(0).all()
    train(torch.tensor([[9.0] * 4 + [0.0] * 4] * 2), [1.0] * 200)
    assert linear.weight[:, :4].ne(0).all()
    assert linear.weight[:, 4:].eq(0).all()
    pruned.finish()
    assert [*linear.state_dict()] == ["weight"]
    assert type(linear) is torch.nn.Linear
    assert pruned.details() == {"weights": 16, "sparsity": 0.5}


def test_scores_start_at_the_magnitudes():
    linear = torch.nn.Linear(4, 1, bias=False)
    linear.weight.data = torch.tensor([[-3.0, 1.0, 0.5, -2.0]])
    mask_gradually({"a": linear}, partial(MovementMask, score_lr=10), 0.5, "layer").after_step(1.0)
    assert linear.weight.tolist() == [[-3.0, 0.0, 0.0, -2.0]]


def test_scores_that_start_smaller_are_ranked_as_if_they_had_a_higher_learning_rate():
    torch.manual_seed(0)
    linear, inputs, rate = torch.nn.Linear(6, 4, bias=False), torch.randn(5, 6), 8.0
    weight = linear.weight.detach().clone()
    pruned = mask_gradually({"a": linear}, partial(MovementMask, score_lr=rate), 0.5, "layer")
    optimizer = torch.optim.AdamW(linear.parameters(), lr=1e-2, weight_decay=0, eps=1e-16)

    dense, scores = weight.clone().requires_grad_(), weight.abs().requires_grad_()
    kept = torch.ones(4, 6)
    groups = [{"params": [dense]}, {"params": [scores], "lr": rate * 1e-2}]
    reference = torch.optim.AdamW(groups, lr=1e-2, weight_decay=0, eps=1e-16)
    for _ in range(20):
        optimizer.zero_grad()
        linear(inputs).pow(2).sum().backward()
        optimizer.step()
        pruned.after_step(1.0)

        masked = (dense * kept).detach().requires_grad_()
        (inputs @ masked.T).pow(2).sum().backward()
        dense.grad, scores.grad = masked.grad * kept, masked.grad * dense.detach()
        reference.step()
        kept = (scores >= scores.flatten().sort(descending=True).values[11]).float()
    found = linear.parametrizations.weight[0]
    torch.testing.assert_close(found.scores * rate, scores, rtol=1e-3, atol=1e-5)
    assert torch.equal(found.kept, kept.bool())
    assert not torch.equal(found.kept, weight.abs() >= weight.abs().flatten().sort(descending=True).values[11])
