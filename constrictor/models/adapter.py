"""Adapters on disk: the ecosystem's two files, and how a whole model is made of them and the model they were trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from constrictor.errors import ConstrictorError
from constrictor.models.architecture import keep_layers
from constrictor.models.manifest import AdapterRecord, read_manifest
from constrictor.models.quantized.nf4 import round_to_nf4
from constrictor.study.settings import canonical_json

WEIGHTS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"


def merge_adapter(model: PreTrainedModel, config: Any, weights: dict[str, Tensor]) -> PreTrainedModel:
    """Add an adapter to the weights of the model that it was trained on, in place.

    Args:
        model: the model, in float32.
        config: peft's configuration of the adapter.
        weights: the adapter's, by the names of peft's files.

    Returns:
        The same model, plain again.

    Raises:
        ConstrictorError: if the adapter is another model's.
    """
    from peft import get_peft_model, set_peft_model_state_dict

    wrapped = get_peft_model(model, replace(config, base_model_name_or_path=None, inference_mode=False))
    outcome: Any
    try:
        outcome = set_peft_model_state_dict(wrapped, weights)
    except RuntimeError as error:  # sizes disagree
        raise ConstrictorError(f"the adapter does not fit the model: {str(error).splitlines()[-1].strip()}") from None
    wanted = {name for name, parameter in wrapped.named_parameters() if parameter.requires_grad}
    if outcome.unexpected_keys or wanted & set(outcome.missing_keys):
        odd = [*outcome.unexpected_keys, *sorted(wanted & set(outcome.missing_keys))]
        raise ConstrictorError(f"the adapter does not fit the model: {odd[0]} is only in one of them.")
    plain = wrapped.merge_and_unload()
    return plain.requires_grad_(True).eval()


def save_adapter(
    config: Any, weights: dict[str, Tensor], base: str, model_config: PretrainedConfig, folder: Path
) -> None:
    """Write an adapter as peft does, with the whole model's ``config.json`` beside it.

    Args:
        config: peft's configuration of the adapter.
        weights: the adapter's, by the names of peft's files.
        base: the model that it was trained on, as seen from the folder.
        model_config: configuration of the whole model.
        folder: where to.
    """
    replace(config, base_model_name_or_path=base, inference_mode=True).save_pretrained(folder)
    written = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    # peft keeps these lists as sets, whose order changes from run to run.
    tidy = {key: sorted(set(value)) if isinstance(value, list) else value for key, value in written.items()}
    (folder / _CONFIG).write_text(json.dumps(tidy, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    save_file({name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}, folder / WEIGHTS)
    model_config.save_pretrained(folder)


def open_adapter(folder: Path, record: AdapterRecord, load_base: Callable[[Path], PreTrainedModel]) -> PreTrainedModel:
    """The whole model, in float32, that a folder with an adapter stands for.

    Args:
        folder: the folder.
        record: its manifest's record of the base.
        load_base: opens the base as a classifier of the same classes.

    Raises:
        ConstrictorError: if the base is gone or is not the model that the adapter was trained on.
    """
    from peft import LoraConfig

    base = (folder / record.base).resolve()
    if not base.is_dir():
        raise ConstrictorError(
            f"{folder} holds an adapter, and the model that it was trained on is not in {base} any more. "
            "Run snakemake again, or set 'merge: true' in the adapter for a model that stands alone."
        )
    if base_digest(base) != record.base_digest:
        raise ConstrictorError(
            f"{folder} holds an adapter that was trained on another model than the one in {base} now. "
            f"Delete it and run snakemake again: rm -r {folder}"
        )
    model = load_base(base)
    if record.layers is not None:
        keep_layers(model, record.layers)
    round_to_nf4(model, record.nf4)
    return merge_adapter(model, LoraConfig.from_pretrained(str(folder)), load_file(folder / WEIGHTS))


def base_digest(folder: Path) -> str:
    """Digest of what makes a model: its weights and configurations, and what they rest upon, whatever the tokenizer.

    Raises:
        ConstrictorError: if the model is damaged.
    """
    manifest = read_manifest(folder)
    files = {
        name: entry.sha256 for name, entry in manifest.files.items() if name.endswith((".safetensors", "config.json"))
    }
    files.pop("tokenizer_config.json", None)
    below = manifest.adapter.base_digest if manifest.adapter else None
    return hashlib.sha256(canonical_json({"files": files, "below": below}).encode()).hexdigest()
