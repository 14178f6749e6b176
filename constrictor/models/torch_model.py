"""Open and save torch models: an artifact's folder on one side, a transformers model on the other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

from constrictor.errors import ConstrictorError
from constrictor.files.reading import read_parsed
from constrictor.models.adapter import open_adapter
from constrictor.models.head import Head
from constrictor.models.manifest import MANIFEST, EncoderShape, Manifest
from constrictor.models.tokenizer_files import copy_tokenizer
from constrictor.models.widths import take_shape

# Its bars and remarks about new heads and shards would drown our own lines.
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def load_model(
    folder: Path,
    head: Head,
    max_length: int,
    *,
    seed: int = 0,
    new_head: bool = False,
    labels: Mapping[str, str] | None = None,
    dtype: torch.dtype = torch.float32,
) -> PreTrainedModel:
    """Open a model folder, also one whose layers have other widths than in its configuration.

    An adapter that was saved by itself is merged into the weights of the model that it was trained on. A head that is kept
    is matched with the task's labels by name, and its outputs are put in their order.

    Args:
        folder: a folder in the layout of ``save_pretrained``, with safetensors; with a manifest if layers were narrowed or
            an adapter was saved by itself.
        head: the head; a model without one gets a new one.
        max_length: longest input in tokens that the model must take.
        seed: seed of a new head.
        new_head: replace a head that the model brings.
        labels: the task's label for names of the model's own outputs that differ from it.
        dtype: type of the weights in memory; transformers would otherwise keep the file's.

    Raises:
        ConstrictorError: an unknown architecture, a head with other labels or for another kind of task, too few positions,
            weights that disagree with the configuration or the manifest.
    """
    torch.manual_seed(seed)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        order = None if new_head else _order_of_outputs(config, head, labels or {}, folder)
        config.num_labels = len(head.names)
        for key, value in head.config.items():
            setattr(config, key, value)
        manifest = _manifest_in(folder)
        if manifest and (manifest.shape or manifest.adapter):
            weights = _weights_of(folder, manifest, head)
            torch.manual_seed(seed)
            model = _filled(folder, weights, config, head, manifest.shape, new_head).to(dtype)  # type: ignore[arg-type]
        else:
            model = _from_pretrained(folder, config, head, dtype, new_head)
            if new_head and has_head(config, head):
                torch.manual_seed(seed)
                _renew_head(model, config, head)
        if order is not None:
            _reorder_outputs(model, order)
    except (ValueError, KeyError, OSError, StrictDataclassError) as error:
        words = " ".join(str(error).partition("\n\n")[0].split())  # behind it, transformers praises its newest version
        raise ConstrictorError(f"{folder} cannot be opened as a {head.title}: {words}") from None
    _refuse_short_positions(model, max_length, folder)
    return model


def _auto_class(head: Head) -> Any:
    return getattr(transformers, head.auto_class)


def _from_pretrained(
    folder: Path, config: PretrainedConfig, head: Head, dtype: torch.dtype, new_head: bool
) -> PreTrainedModel:
    """A model as transformers opens it, unless that would fill a part of the encoder with random numbers."""
    model, report = _auto_class(head).from_pretrained(
        folder,
        config=config,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    encoder = f"{model.base_model_prefix}."
    wrong = [
        f"{name} is {tuple(found)} and should be {tuple(wanted)}"
        for name, found, wanted in sorted(report["mismatched_keys"])
        if name.startswith(encoder) or not new_head
    ]
    missing = report["missing_keys"]
    if new_head or not has_head(config, head):
        # Many checkpoints bring no pooler, which is trained with the head then.
        missing = [name for name in missing if name.startswith(encoder) and "pooler" not in name]
    wrong += [f"{name} is missing" for name in sorted(missing)]
    if wrong:
        others = f" ({len(wrong) - 1} others do not fit either)" if len(wrong) > 1 else ""
        raise ConstrictorError(
            f"the weights in {folder} are not those that its config.json describes: {wrong[0]}{others}. "
            "Put weights and configuration of one model there."
        )
    return model


def _renew_head(model: PreTrainedModel, config: PretrainedConfig, head: Head) -> None:
    """Replace the weights of a head that was loaded, in place: transformers keeps those whose shapes fit."""
    base = f"{model.base_model_prefix}."
    fresh = empty_model(config, head, None).state_dict()
    model.load_state_dict({name: weight for name, weight in fresh.items() if not name.startswith(base)}, strict=False)


def _manifest_in(folder: Path) -> Manifest | None:
    file = folder / MANIFEST
    return read_parsed(file, Manifest.model_validate_json) if file.is_file() else None


def _weights_of(folder: Path, manifest: Manifest, head: Head) -> dict[str, Tensor]:
    """All weights of a model that transformers cannot open by itself."""
    if manifest.adapter is None:
        return {
            name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()
        }
    # The adapter holds the head too, so that of the base may be any.
    labels = manifest.trained_for().labels
    own = head._replace(names=labels, config={}) if labels else head
    load_base = partial(load_model, head=own, max_length=1, new_head=True)
    return dict(open_adapter(folder, manifest.adapter, load_base).state_dict())


def empty_model(config: PretrainedConfig, head: Head, shape: EncoderShape | None) -> PreTrainedModel:
    """A model in float32 whose weights are to be loaded yet; a head that is not loaded is a new one.

    Args:
        config: its configuration.
        head: its head.
        shape: the widths of its layers where they differ from the configuration's.
    """
    model = _auto_class(head).from_config(config, dtype=torch.float32)
    if shape is not None:
        take_shape(model, shape)
    return model


def _filled(
    folder: Path,
    weights: dict[str, Tensor],
    config: PretrainedConfig,
    head: Head,
    shape: EncoderShape | None,
    new_head: bool,
) -> PreTrainedModel:
    model = empty_model(config, head, shape)
    expected = model.state_dict()
    wrong = [name for name, tensor in expected.items() if name not in weights or weights[name].shape != tensor.shape]
    if new_head:
        base = f"{model.base_model_prefix}."
        wrong = [name for name in wrong if name.startswith(base)]
        weights = {name: tensor for name, tensor in weights.items() if name.startswith(base)}
    if wrong:
        found = tuple(weights[wrong[0]].shape) if wrong[0] in weights else "missing"
        raise ConstrictorError(
            f"{folder} does not match its manifest: {wrong[0]} should be {tuple(expected[wrong[0]].shape)} and is "
            f"{found}. Delete the folder and run snakemake again."
        )
    model.load_state_dict(weights, strict=False)
    return model.eval()


def has_head(config: PretrainedConfig, head: Head) -> bool:
    """Whether a checkpoint brings a head of this sort, by its configuration."""
    return any(name.endswith(head.class_ending) for name in config.architectures or [])


def _order_of_outputs(
    config: PretrainedConfig, head: Head, labels: Mapping[str, str], folder: Path
) -> list[int] | None:
    """The outputs of the head that a checkpoint brings, in the order of the task's; None if it brings none of this sort.

    Raises:
        ConstrictorError: if they are not the task's labels, or it is a head for another kind of task.
    """
    if not has_head(config, head):
        if labels:
            raise ConstrictorError(f"'labels': the model in {folder} brings no head of a {head.title}. Remove the key.")
        return None
    return head.order(config, labels, str(folder))


def _reorder_outputs(model: PreTrainedModel, order: list[int]) -> None:
    """Give a head's outputs another order, in place: output `order[i]` becomes output `i`."""
    if order == sorted(order):
        return
    base = f"{model.base_model_prefix}."
    last = [
        part
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear) and part.out_features == len(order) and not name.startswith(base)
    ][-1]
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.copy_(parameter[order].clone())


def _refuse_short_positions(model: PreTrainedModel, max_length: int, folder: Path) -> None:
    positions = longest_input(model)
    if positions and max_length > positions:
        raise ConstrictorError(
            f"the task's max_length is {max_length} tokens and the model in {folder} takes {positions}. Lower 'max_length'."
        )


def longest_input(model: PreTrainedModel) -> int | None:
    """Most tokens that a model has positions for; None if it needs no table of them."""
    positions = getattr(model.config, "max_position_embeddings", None)
    for name, part in model.named_modules():
        # RoBERTa and its relatives count positions from behind the padding index: of 514 rows, 512 are for tokens.
        if name.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            return positions and positions - part.padding_idx - 1
    return positions


def save_model(model: PreTrainedModel, tokenizer_from: Path, folder: Path) -> None:
    """Write weights (safetensors), configuration and tokenizer, so that transformers opens the folder without us."""
    model.save_pretrained(folder)
    copy_tokenizer(tokenizer_from, folder)


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Numbers of parameters and of those that are not zero, as fields of a manifest."""
    parameters = list(model.parameters())
    return {
        "parameters": sum(parameter.numel() for parameter in parameters),
        "nonzero_parameters": sum(int(torch.count_nonzero(parameter)) for parameter in parameters),
    }
