"""A linear layer with int8 weights and an activation range that was fixed beforehand (static quantization).

Activations are rounded to ``x ~ scale * (q - zero_point)`` with ``q`` in [0, 255] (Jacob et al., 2018, eq. 1). What is
stored is the range; scale and zero point follow from it and from the bits that the processor's products can take.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from constrictor.errors import ConstrictorError
from constrictor.models.quantized.int8_linear import Int8Linear, int8_parts
from constrictor.models.quantized.rounding import affine_parameters


class StaticInt8Linear(Int8Linear):
    """``y = x W^T + b`` with int8 weights and activations rounded to a fixed range; its state is plain tensors."""

    limits: Tensor

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None, limits: Tensor) -> None:
        """As :class:`Int8Linear`, with the limits ``(2,)`` of the activations: lowest and highest."""
        super().__init__(weight, scale, bias)
        self.register_buffer("limits", limits)
        # On other processors torch has no kernel that quantizes, multiplies and dequantizes in one.
        if torch.backends.quantized.engine not in ("x86", "fbgemm"):
            raise ConstrictorError(
                "this processor has no torch kernels for static int8 (they exist on x86). Use 'method: dynamic', or "
                "export to ONNX before the step."
            )

    @classmethod
    def calibrated(cls, linear: nn.Linear, per_channel: bool, low: float, high: float) -> StaticInt8Linear:
        """Quantize a linear layer whose inputs lie between two numbers."""
        limits = torch.tensor([low, high], dtype=torch.float32)
        return cls(*int8_parts(linear, per_channel), limits)

    def _pack(self) -> tuple[float, int, Any]:
        low, high = self.limits.double()
        scale, zero_point = affine_parameters(torch, low, high, 127 if self._reduce_range else 255)
        return float(scale), int(zero_point), super()._pack()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., inputs)`` float32 to ``(..., outputs)`` float32."""
        if self._packed is None:
            self._packed = self._pack()
        scale, zero_point, weights = self._packed
        if self._reduce_range:  # the kernel itself cuts off below, and above only at 255
            x = x.clamp(max=(127 - zero_point) * scale)
        return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(x, scale, zero_point, weights)
