"""Dynamic int8 of a torch model, saved as safetensors and opened again without any pickle."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel
from transformers.initialization import no_init_weights

from constrictor.artifacts.manifest import Manifest
from constrictor.artifacts.torch_model import copy_tokenizer
from constrictor.compression.quantization.int8_linear import Int8Linear, replace_linears

# Not `model.safetensors`: transformers would open it and take the int8 numbers for the weights themselves.
WEIGHTS = "model-int8.safetensors"


def save_int8(model: PreTrainedModel, per_channel: bool, tokenizer_from: Path, folder: Path) -> list[str]:
    """Quantize all linear layers of a model, in place, and write it; returns the layers' names."""
    names = replace_linears(model, lambda linear: Int8Linear.from_linear(linear, per_channel))
    # Tied weights share memory; safetensors wants each tensor on its own.
    save_file({name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}, folder / WEIGHTS)
    model.config.save_pretrained(folder)
    copy_tokenizer(tokenizer_from, folder)
    return names


def load_int8(folder: Path, manifest: Manifest) -> PreTrainedModel:
    """Open what :func:`save_int8` wrote."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    with no_init_weights():
        model = AutoModelForSequenceClassification.from_config(config, attn_implementation="sdpa")
    per_channel = bool(manifest.lineage[-1].settings["per_channel"])
    replace_linears(model, lambda linear: Int8Linear.empty(linear, per_channel))
    model.load_state_dict(load_file(folder / WEIGHTS), assign=True)
    return model.eval()
