"""Open and save torch classifiers: an artifact's folder on one side, a transformers model on the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from constrictor.data.tokenization import Batch
from constrictor.errors import ConstrictorError

# The list of layers, below the base model, of the encoder families that can be cut.
_LAYER_LISTS = ("encoder.layer", "transformer.layer")
_LAYER_KEYS = ("num_hidden_layers", "n_layers")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")

# Its bars and remarks about new heads and shards would drown our own lines.
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def load_classifier(
    folder: Path,
    labels: list[str],
    max_length: int,
    *,
    seed: int = 0,
    new_head: bool = False,
    dtype: torch.dtype = torch.float32,
) -> PreTrainedModel:
    """Open a model folder as a classifier.

    Args:
        folder: a folder in the layout of ``save_pretrained``, with safetensors.
        labels: the classes; a model without a head gets one with that many outputs.
        max_length: longest input in tokens that the model must take.
        seed: seed of a new head.
        new_head: replace a head that is there.
        dtype: type of the weights in memory; transformers would otherwise keep the file's.

    Raises:
        ConstrictorError: an unknown architecture, a head for another number of classes, too few positions.
    """
    torch.manual_seed(seed)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        found = _head_size(config)
        if found not in (None, len(labels)) and not new_head:
            raise ConstrictorError(
                f"the model in {folder} has a head for {found} classes and the task has {len(labels)}: {', '.join(labels)}. "
                "Set 'new_head: true' in the step to replace the head, or give the task's 'labels'."
            )
        config.num_labels = len(labels)
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: number for number, label in enumerate(labels)}
        model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            attn_implementation="sdpa",
            local_files_only=True,
            ignore_mismatched_sizes=new_head,
        )
    except (ValueError, KeyError, OSError) as error:
        raise ConstrictorError(f"{folder} cannot be opened as a text classifier: {error}") from None
    _refuse_short_positions(config, max_length, folder)
    return model


def _head_size(config: object) -> int | None:
    """Number of outputs of the classification head that a checkpoint brings; None if it brings none."""
    architectures = getattr(config, "architectures", None) or []
    has_head = any(name.endswith("ForSequenceClassification") for name in architectures)
    return int(getattr(config, "num_labels", 0)) if has_head else None


def _refuse_short_positions(config: object, max_length: int, folder: Path) -> None:
    positions = getattr(config, "max_position_embeddings", None)
    # RoBERTa and its relatives count positions from behind the padding index.
    if positions and getattr(config, "model_type", "") in {"roberta", "xlm-roberta", "camembert", "mpnet"}:
        positions -= 2
    if positions and max_length > positions:
        raise ConstrictorError(
            f"the task's max_length is {max_length} tokens and the model in {folder} takes {positions}. Lower 'max_length'."
        )


def save_classifier(model: PreTrainedModel, tokenizer_from: Path, folder: Path) -> None:
    """Write weights (safetensors), configuration and tokenizer, so that transformers opens the folder without us."""
    model.save_pretrained(folder)
    copy_tokenizer(tokenizer_from, folder)


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy the tokenizer's files from one model folder to another."""
    for name in _TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def encoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The list of layers of an encoder.

    Raises:
        ConstrictorError: if the architecture is not one of those known.
    """
    for path in _LAYER_LISTS:
        try:
            layers = model.base_model.get_submodule(path)
        except AttributeError:
            continue
        if isinstance(layers, nn.ModuleList):
            return layers
    raise ConstrictorError(
        f"the layers of '{model.config.model_type}' are not known. Known: BERT, RoBERTa, XLM-R, ELECTRA, MPNet, DistilBERT."
    )


def keep_layers(model: PreTrainedModel, layers: list[int]) -> None:
    """Cut an encoder down to some of its layers, in place; the rest of the model stays.

    Args:
        model: the model.
        layers: the layers to keep, counted from 0.

    Raises:
        ConstrictorError: if a layer does not exist.
    """
    every = encoder_layers(model)
    if max(layers) >= len(every):
        raise ConstrictorError(
            f"the model has no layer {max(layers)}: it has {len(every)} layers, counted 0 to {len(every) - 1}."
        )
    kept = [every[index] for index in layers]
    del every[:]
    every.extend(kept)
    for key in _LAYER_KEYS:
        if hasattr(model.config, key):
            setattr(model.config, key, len(kept))
            break


def encoder_linears(model: PreTrainedModel) -> dict[str, nn.Linear]:
    """The linear layers inside the encoder's layers, by their full names: what pruning works on."""
    inside = {id(module) for layer in encoder_layers(model) for module in layer.modules()}
    return {
        name: module for name, module in model.named_modules() if isinstance(module, nn.Linear) and id(module) in inside
    }


def forward(model: PreTrainedModel, batch: Batch, *, bf16: bool = False) -> np.ndarray:
    """Logits of one batch.

    Args:
        model: a classifier; its training mode is restored.
        batch: ``input_ids`` and ``attention_mask``, each ``(batch, length)``.
        bf16: compute matrix products in bf16.

    Returns:
        ``(batch, classes)`` float32.
    """
    was_training = model.training
    model.eval()
    tensors = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
    with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        logits = model(**tensors).logits.float().cpu().numpy()
    model.train(was_training)
    return logits


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Numbers of parameters and of those that are not zero, as fields of a manifest."""
    parameters = list(model.parameters())
    return {
        "parameters": sum(parameter.numel() for parameter in parameters),
        "nonzero_parameters": sum(int(torch.count_nonzero(parameter)) for parameter in parameters),
    }
