"""Quantize a torch model to a format of bitsandbytes: LLM.int8() (Dettmers et al., 2022), NF4 and FP4 (QLoRA; 2023)."""

from __future__ import annotations

from typing import Any

from transformers import BitsAndBytesConfig, PreTrainedModel

from constrictor.errors import ConstrictorError
from constrictor.models.quantized.bitsandbytes_layers import (
    SHAPE_RULE,
    THRESHOLD,
    four_bit_layer,
    has_four_bit_kernel,
    int8_layer,
)
from constrictor.models.quantized.modules import linears_of, replace
from constrictor.study.steps.quantize import BitsAndBytes

_HEAD = "the classification head stays as it is"


def quantize_bnb(model: PreTrainedModel, settings: BitsAndBytes) -> dict[str, str]:
    """Replace the linear layers of a model, in place, but for its head and those whose shape has no kernel.

    The shapes are those that CPUs take, whatever the machine at hand, so that the model opens on all of them.

    Returns:
        Names of the layers that stay in float32, with the reason.

    Raises:
        ConstrictorError: if no layer can be quantized.
    """
    linears = linears_of(model)
    kept = {name: _HEAD for name in linears if not name.startswith(f"{model.base_model_prefix}.")}
    if settings.method != "llm_int8":
        odd = {name for name, linear in linears.items() if not has_four_bit_kernel(linear)}
        kept |= {name: SHAPE_RULE for name in odd - set(kept)}
    chosen = {name: linear for name, linear in linears.items() if name not in kept}
    if not chosen:
        shapes = sorted({f"{linear.in_features} x {linear.out_features}" for linear in linears.values()})
        raise ConstrictorError(
            f"'{settings.method}' fits no layer of this model: {SHAPE_RULE}, and its layers are {', '.join(shapes)}. "
            "Use 'method: llm_int8' or 'dynamic'."
        )
    if settings.method == "llm_int8":
        replace(model, chosen, lambda name, linear: int8_layer(linear))
    else:
        replace(
            model,
            chosen,
            lambda name, linear: four_bit_layer(linear, settings.method, settings.double_quantization),
        )
    model.config.quantization_config = _configuration(settings, kept)
    return {name: kept[name] for name in linears if name in kept}


def _configuration(settings: BitsAndBytes, kept: dict[str, str]) -> dict[str, Any]:
    """What transformers reads to open the folder."""
    int8 = settings.method == "llm_int8"
    found: dict[str, Any] = BitsAndBytesConfig(
        load_in_8bit=int8,
        load_in_4bit=not int8,
        llm_int8_threshold=THRESHOLD,
        llm_int8_skip_modules=sorted(kept),
        bnb_4bit_quant_type="nf4" if int8 else settings.method,
        bnb_4bit_use_double_quant=settings.double_quantization,
    ).to_dict()
    return found
