import pytest
import torch
from transformers import AutoModelForQuestionAnswering

from constrictor.tasks.question_answering.model import DISTILLATION_LOSSES, label_loss

LENGTHS = torch.tensor([[7], [5], [7]])
MASK = (torch.arange(7) < LENGTHS).long()


def _logits(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(3, 7, generator=generator) for name in ("start", "end")}


def test_label_loss_is_that_of_transformers_where_nothing_is_padded(tiny_model):
    model = AutoModelForQuestionAnswering.from_pretrained(tiny_model).eval()
    ids, starts, ends = torch.tensor([[2, 9, 3, 8, 10, 3]] * 2), torch.tensor([3, 0]), torch.tensor([4, 0])
    with torch.no_grad():
        found = model(input_ids=ids, start_positions=starts, end_positions=ends)
    outputs = {"start": found.start_logits, "end": found.end_logits}
    loss = label_loss(outputs, {"start": starts, "end": ends, "attention_mask": torch.ones_like(ids)})
    assert loss.shape == (2,)
    assert loss.mean().item() == pytest.approx(found.loss.item(), rel=1e-6)


def test_windows_without_a_label_add_nothing():
    batch = {"start": torch.tensor([2, -100, 0]), "end": torch.tensor([3, -100, 0]), "attention_mask": MASK}
    losses = label_loss(_logits(0), batch)
    assert losses[1] == 0
    assert (losses[[0, 2]] > 0).all()


@pytest.mark.parametrize("name", ["labels", *DISTILLATION_LOSSES])
def test_padding_takes_no_part(name):
    batch = {"start": torch.tensor([2, 1, 0]), "end": torch.tensor([3, 4, 0]), "attention_mask": MASK}

    def loss(fill: float) -> torch.Tensor:
        student, teacher = (
            {key: logits.masked_fill(MASK == 0, fill) for key, logits in _logits(seed).items()} for seed in (0, 1)
        )
        return (
            label_loss(student, batch) if name == "labels" else DISTILLATION_LOSSES[name](student, teacher, batch, 2.0)
        )

    assert torch.equal(loss(0.0), loss(50.0))
    assert torch.isfinite(loss(0.0)).all()


def _distributions(student, teacher, row, length, temperature):
    return (student[row, :length] / temperature).log_softmax(-1), (teacher[row, :length] / temperature).softmax(-1)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_is_the_mean_of_both_ends_computed_by_torch(temperature):
    student, teacher = _logits(0), _logits(1)
    expected = []
    for row, length in enumerate(LENGTHS.ravel()):
        of_ends = [
            torch.nn.functional.kl_div(
                *_distributions(student[end], teacher[end], row, length, temperature), reduction="sum"
            )
            for end in ("start", "end")
        ]
        expected.append(temperature**2 * torch.stack(of_ends).mean())
    found = DISTILLATION_LOSSES["kl"](student, teacher, {"attention_mask": MASK}, temperature)
    torch.testing.assert_close(found, torch.stack(expected))


def test_equal_models_have_no_distance():
    for name in ("kl", "mse"):
        loss = DISTILLATION_LOSSES[name](_logits(0), _logits(0), {"attention_mask": MASK}, 2.0)
        torch.testing.assert_close(loss, torch.zeros(3), atol=1e-5, rtol=0)
