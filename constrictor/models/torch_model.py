"""Open and save torch classifiers: an artifact's folder on one side, a transformers model on the other."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel

from constrictor.errors import ConstrictorError
from constrictor.files.reading import read_parsed
from constrictor.models.adapter import open_adapter
from constrictor.models.manifest import MANIFEST, EncoderShape, Manifest
from constrictor.models.tokenizer_files import copy_tokenizer
from constrictor.models.widths import take_shape

_PROBLEM_TYPES = {
    "classification": "single_label_classification",
    "multilabel": "multi_label_classification",
    "regression": "regression",
}
"""The kinds of problem, and what the ecosystem calls them in a model's configuration."""

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
    kind: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> PreTrainedModel:
    """Open a model folder as a classifier, also one whose layers were cut to other widths than its configuration says.

    An adapter that was kept by itself is added to the weights of the model that it was trained on.

    Args:
        folder: a folder in the layout of ``save_pretrained``, with safetensors; with a manifest if layers were cut or
            an adapter was kept.
        labels: the classes; a model without a head gets one with that many outputs.
        max_length: longest input in tokens that the model must take.
        seed: seed of a new head.
        new_head: replace a head that is there.
        kind: the kind of problem that it is trained for; None leaves what the configuration says.
        dtype: type of the weights in memory; transformers would otherwise keep the file's.

    Raises:
        ConstrictorError: an unknown architecture, a head for another number of classes, too few positions, weights that
            disagree with the manifest.
    """
    torch.manual_seed(seed)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        found = _head_size(config)
        if found not in (None, len(labels)) and not new_head:
            raise ConstrictorError(
                f"the model in {folder} has a head for {found} classes and the task has {len(labels)}: {', '.join(labels)}. "
                "Set 'new_head: true' in the step to replace the head, or give the task's 'labels'."
            )
        config.num_labels = len(labels)
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: number for number, label in enumerate(labels)}
        if kind is not None:
            config.problem_type = _PROBLEM_TYPES[kind]
        manifest = _manifest_in(folder)
        if manifest and (manifest.shape or manifest.adapter):
            weights = _weights_of(folder, manifest)
            torch.manual_seed(seed)
            model = _filled(folder, weights, config, manifest.shape, new_head).to(dtype)  # type: ignore[arg-type]
        else:
            model = _from_pretrained(folder, config, dtype, new_head)
    except (ValueError, KeyError, OSError, StrictDataclassError) as error:
        words = " ".join(str(error).partition("\n\n")[0].split())  # behind it, transformers praises its newest version
        raise ConstrictorError(f"{folder} cannot be opened as a text classifier: {words}") from None
    _refuse_short_positions(model, max_length, folder)
    return model


def _from_pretrained(folder: Path, config: PretrainedConfig, dtype: torch.dtype, new_head: bool) -> PreTrainedModel:
    """A model as transformers opens it, unless it would fill a part of the encoder with random numbers."""
    model, report = AutoModelForSequenceClassification.from_pretrained(
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
    # Many checkpoints bring no pooler, which is trained with the head then.
    missing = [name for name in report["missing_keys"] if name.startswith(encoder) and "pooler" not in name]
    wrong += [f"{name} is missing" for name in sorted(missing)]
    if wrong:
        others = f" ({len(wrong) - 1} others do not fit either)" if len(wrong) > 1 else ""
        raise ConstrictorError(
            f"the weights in {folder} are not those that its config.json describes: {wrong[0]}{others}. "
            "Put weights and configuration of one model there."
        )
    return model


def _manifest_in(folder: Path) -> Manifest | None:
    file = folder / MANIFEST
    return read_parsed(file, Manifest.model_validate_json) if file.is_file() else None


def _weights_of(folder: Path, manifest: Manifest) -> dict[str, Tensor]:
    """All weights of a model that transformers cannot open by itself."""
    if manifest.adapter is None:
        return {
            name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()
        }
    # The adapter holds the head too, so that of the base may be any.
    load_base = partial(load_classifier, labels=manifest.trained_for()[0], max_length=1, new_head=True)
    return dict(open_adapter(folder, manifest.adapter, load_base).state_dict())


def empty_classifier(config: PretrainedConfig, shape: EncoderShape | None) -> PreTrainedModel:
    """A classifier in float32 whose weights are to be loaded yet; a head that is not loaded is a new one.

    Args:
        config: its configuration.
        shape: the widths of its layers where they differ from the configuration's.
    """
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    if shape is not None:
        take_shape(model, shape)
    return model


def _filled(
    folder: Path, weights: dict[str, Tensor], config: PretrainedConfig, shape: EncoderShape | None, new_head: bool
) -> PreTrainedModel:
    model = empty_classifier(config, shape)
    expected = model.state_dict()
    wrong = [name for name, tensor in expected.items() if name not in weights or weights[name].shape != tensor.shape]
    if new_head:
        base = f"{model.base_model_prefix}."
        wrong = [name for name in wrong if name.startswith(base)]
        weights = {name: tensor for name, tensor in weights.items() if name.startswith(base)}
    if wrong:
        found = tuple(weights[wrong[0]].shape) if wrong[0] in weights else "missing"
        raise ConstrictorError(
            f"{folder} does not hold what its manifest says: {wrong[0]} should be {tuple(expected[wrong[0]].shape)} and is "
            f"{found}. Delete the folder and run snakemake again."
        )
    model.load_state_dict(weights, strict=False)
    return model.eval()


def problem_type(model: PreTrainedModel) -> str:
    """The kind of problem that a classifier was trained for."""
    found = model.config.problem_type
    return next((kind for kind, name in _PROBLEM_TYPES.items() if name == found), "classification")


def _head_size(config: object) -> int | None:
    """Number of outputs of the classification head that a checkpoint brings; None if it brings none."""
    architectures = getattr(config, "architectures", None) or []
    has_head = any(name.endswith("ForSequenceClassification") for name in architectures)
    return int(getattr(config, "num_labels", 0)) if has_head else None


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


def save_classifier(model: PreTrainedModel, tokenizer_from: Path, folder: Path) -> None:
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
