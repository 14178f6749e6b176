import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from constrictor.models.quantized.int8_embedding import Int8Embedding
from constrictor.models.quantized.int8_linear import Int8Linear
from constrictor.models.quantized.modules import linears_of, named, precisions, replace


def _model() -> nn.Module:
    return nn.Sequential(
        nn.Embedding(5, 4), nn.ModuleDict({"inner": nn.Linear(4, 4)}), nn.LayerNorm(4), nn.Linear(4, 2)
    )


def test_the_chosen_modules_are_replaced_and_no_others():
    model = _model()
    chosen = {name: linear for name, linear in named(model, nn.Linear).items() if name != "3"}
    replace(model, chosen, lambda name, linear: Int8Linear.from_linear(linear, True))
    assert [type(module) for module in model] == [nn.Embedding, nn.ModuleDict, nn.LayerNorm, nn.Linear]
    assert isinstance(model[1]["inner"], Int8Linear)


def test_every_precision_is_counted_and_exceptions_are_named():
    model = _model()
    replace(model, named(model, nn.Embedding), lambda name, table: Int8Embedding.from_embedding(table))
    model[2].to(torch.bfloat16)
    assert precisions(model, {"3": "why", "1.inner": "why"}) == {
        "modules": {"bf16": {"norm": 1}, "fp32": {"linear": 2}, "int8": {"embedding": 1}},
        "kept": {"why": ["3", "1.inner"]},
    }


def test_matrices_that_stand_the_other_way_round_are_turned():
    model = nn.Sequential(Conv1D(6, 4), nn.Linear(6, 2))
    x = torch.randn(3, 4)
    before = model(x)
    assert {name: tuple(linear.weight.shape) for name, linear in linears_of(model).items()} == {
        "0": (6, 4),
        "1": (2, 6),
    }
    torch.testing.assert_close(model(x), before)
