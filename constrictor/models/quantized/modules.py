"""Replace modules of a model by quantized ones, and record the precision of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig, PreTrainedModel
from transformers.initialization import no_init_weights
from transformers.pytorch_utils import Conv1D

from constrictor.models.head import Head
from constrictor.models.manifest import EncoderShape
from constrictor.models.tokenizer_files import copy_tokenizer
from constrictor.models.torch_model import empty_model

Kind = TypeVar("Kind", bound=nn.Module)

_PRECISIONS = {
    torch.float32: "fp32",
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
    torch.int8: "int8",
    torch.uint8: "4 bits",  # two weights of bitsandbytes in a byte
}


def named(model: nn.Module, kind: type[Kind]) -> dict[str, Kind]:
    """A model's modules of a kind, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, kind)}


def replace(model: nn.Module, modules: dict[str, Kind], make: Callable[[str, Kind], nn.Module]) -> None:
    """Replace modules of a model, in place, by what ``make(name, module)`` gives."""
    for name, module in modules.items():
        model.set_submodule(name, make(name, module))


def linears_of(model: nn.Module) -> dict[str, nn.Linear]:
    """All linear layers of a model, by name. GPT-2's, whose matrices stand the other way round, are turned first."""
    replace(model, named(model, Conv1D), lambda name, module: _turned(module))
    return named(model, nn.Linear)


def _turned(module: Conv1D) -> nn.Linear:
    inputs, outputs = module.weight.shape
    linear = nn.Linear(inputs, outputs, device="meta")
    linear.weight = nn.Parameter(module.weight.detach().T.contiguous())
    linear.bias = module.bias
    return linear


def skeleton(folder: Path, head: Head, shape: EncoderShape | None) -> PreTrainedModel:
    """The model that a folder's configuration describes, with memory for weights and nothing in it yet."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with no_init_weights():
        return empty_model(config, head, shape)


def save_quantized(model: PreTrainedModel, tokenizer_from: Path, file: Path) -> None:
    """Write a quantized model that has not computed anything since: its tensors, configuration and tokenizer.

    Args:
        model: the model.
        tokenizer_from: folder whose tokenizer is the model's.
        file: the safetensors file to write; the rest is put beside it.
    """
    # Tied weights share memory; safetensors requires each tensor on its own.
    tensors = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(tensors, file, metadata={"format": "pt"})
    model.config.save_pretrained(file.parent)
    copy_tokenizer(tokenizer_from, file.parent)


def precisions(model: nn.Module, kept: dict[str, str] | None = None) -> dict[str, Any]:
    """The manifest's entry for the precisions in a model.

    Args:
        model: the quantized model.
        kept: modules that were to be quantized and were not, with the reason.

    Returns:
        ``modules``: how many of which kind are in which precision; ``kept``: names by reason, if there are any.

    >>> precisions(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 2).half()))
    {'modules': {'fp16': {'linear': 1}, 'fp32': {'linear': 1, 'norm': 1}}}
    """
    counts: dict[str, Counter[str]] = {}
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, torch.Tensor):
            kind = next(
                (kind for kind in ("linear", "embedding", "norm") if kind in type(module).__name__.lower()), "other"
            )
            counts.setdefault(_PRECISIONS[weight.dtype], Counter())[kind] += 1
    found: dict[str, Any] = {
        "modules": {precision: dict(sorted(counts[precision].items())) for precision in sorted(counts)}
    }
    for name, reason in (kept or {}).items():
        found.setdefault("kept", {}).setdefault(reason, []).append(name)
    return found
