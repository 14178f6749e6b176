"""A linear layer with int8 weights whose activations are quantized as they come (dynamic quantization).

Weights are symmetric: ``w ~ scale * q`` with ``q`` in [-127, 127], one scale an output row or one for the matrix. The
product runs in torch's int8 kernels, which pack the weights for the processor when the layer is first used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from constrictor.models.quantized.rounding import round_symmetric


def int8_parts(linear: nn.Linear, per_channel: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    """The weights of a linear layer in int8, their scales, and its bias in float32."""
    axis = 1 if per_channel else None
    weight, scale = round_symmetric(torch, linear.weight.detach().float(), axis, largest=127)
    return weight, scale.ravel(), None if linear.bias is None else linear.bias.detach().float()


class Int8Linear(nn.Module):
    """``y = x W^T + b`` with int8 weights; its state is plain tensors, so safetensors can hold it."""

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        """Hold int8 weights ``(outputs, inputs)``, their scales ``(outputs,)`` or ``(1,)``, and a float32 bias."""
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)
        self._packed: Any = None
        # Without VNNI, two int8 products can overflow the 16 bits that they are added up in; 7 bits cannot.
        self._reduce_range = not torch.cpu._is_vnni_supported()

    @classmethod
    def from_linear(cls, linear: nn.Linear, per_channel: bool) -> Int8Linear:
        """Quantize a linear layer."""
        return cls(*int8_parts(linear, per_channel))

    def _pack(self) -> Any:
        if len(self.scale) == 1:
            quantized = torch._make_per_tensor_quantized_tensor(self.weight, float(self.scale), 0)
        else:
            zeros = torch.zeros(len(self.scale), dtype=torch.int64)
            quantized = torch._make_per_channel_quantized_tensor(self.weight, self.scale.double(), zeros, 0)
        return torch.ops.quantized.linear_prepack(quantized, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., inputs)`` float32 to ``(..., outputs)`` float32."""
        if self._packed is None:
            self._packed = self._pack()
        return torch.ops.quantized.linear_dynamic(x, self._packed, reduce_range=self._reduce_range)
