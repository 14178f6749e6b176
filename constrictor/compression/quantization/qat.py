"""Quantization-aware training: the forward pass rounds to int8, the backward pass does not (Jacob et al., 2018).

The gradient goes straight through the rounding (Bengio et al., 2013). What is simulated is dynamic int8 as ONNX Runtime
computes it: symmetric weights with a scale an output, and activations with a scale and a zero point for each call.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.errors import ConstrictorError
from constrictor.models.architecture import encoder_linears
from constrictor.models.quantized.modules import named
from constrictor.models.quantized.rounding import affine_parameters, round_symmetric


class FakeInt8Linear(nn.Linear):
    """A linear layer that computes as its int8 version would, and can be trained; its state is that of the original.

    The product is one of whole numbers, so it is exact in bf16 too; only its result is rounded there.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)`` float32."""
        weight, weight_scale = _rounded_weight(self.weight)
        x, scale = _rounded_activation(input.float())
        y = nn.functional.linear(x, weight) * (weight_scale * scale)
        return y if self.bias is None else y + self.bias


def _straight_through(exact: Tensor, rounded: Tensor) -> Tensor:
    """The value of one and the gradient of the other."""
    return exact + (rounded - exact).detach()


def _rounded_weight(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers from -127 to 127 in the shape of a weight ``(outputs, inputs)``, and their scales ``(outputs,)``."""
    values, scales = round_symmetric(torch, weight.detach(), axis=1, largest=127)
    return _straight_through(weight / scales, values.to(weight.dtype)), scales.ravel()


def _rounded_activation(x: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers from -255 to 255 that stand for a tensor (zero point taken off), and their scale.

    As ONNX's DynamicQuantizeLinear: 256 levels over the range of the tensor, widened to hold 0.
    """
    with torch.no_grad():
        scale, zero_point = affine_parameters(torch, x.amin(), x.amax(), levels=255)
        values = (torch.round(x / scale) + zero_point).clamp(0, 255) - zero_point
    return _straight_through(x / scale, values), scale


def simulate_int8(model: PreTrainedModel) -> list[str]:
    """Let the linear layers inside the encoder's layers compute as if they were int8; returns their names.

    Raises:
        ConstrictorError: if the architecture is not known, or has its matrices in something else than linear layers.
    """
    linears = encoder_linears(model)
    if not linears:
        raise ConstrictorError(
            f"'qat' supports linear layers only, and '{model.config.model_type}' has none. Use 'dynamic'."
        )
    for module in linears.values():
        module.__class__ = FakeInt8Linear
    return list(linears)


@torch.no_grad()
def remove_simulation(model: PreTrainedModel) -> None:
    """Replace the trained weights by the rounded ones that the simulation computed with, and make the layers plain again."""
    for layer in named(model, FakeInt8Linear).values():
        values, scales = round_symmetric(torch, layer.weight, axis=1, largest=127)
        layer.weight.copy_(scales * values)
        layer.__class__ = nn.Linear  # type: ignore[assignment]
