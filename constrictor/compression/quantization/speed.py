"""What a quantized model costs on a machine that was not made for it."""

from __future__ import annotations

import torch

from constrictor.machine import has_int8_dot_product
from constrictor.training.device import has_native_bf16


def slow_here(precision: str, format: str) -> str | None:
    """Why a model does not run well on this machine; None if it does.

    The numbers are those of MiniLM on two Zen 5 cores, against float32 in the same runtime.

    Args:
        precision: the model's, as its manifest has it.
        format: the model's, as its manifest has it.
    """
    gpu = torch.cuda.is_available() and format in ("torch", "bitsandbytes")
    if format == "bitsandbytes" and not gpu:
        if precision == "llm_int8":
            return "llm_int8 is made for GPUs: on a CPU it is about as fast as float32"
        return (
            None
            if torch.cpu._is_avx512_bf16_supported()
            else "4 bits on a CPU without AVX512-BF16: slower than float32"
        )
    if precision == "fp16" and not gpu:
        return "processors have no fast fp16 products: 2 to 4 times slower than float32" if format == "torch" else None
    if precision == "bf16" and not has_native_bf16():
        return "this machine has no bf16 products: slower than float32"
    if precision == "int8" and not has_int8_dot_product():
        return "this processor has no int8 dot product (VNNI, AMX): little faster than float32, and with 7 bits"
    return None
