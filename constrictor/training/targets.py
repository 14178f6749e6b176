"""Which modules of a model are trained: those of its head, and the matrices that get an adapter."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from constrictor.errors import ConstrictorError, nearest
from constrictor.models.architecture import encoder_layers, family_of

PARTS = ("query", "key", "value", "attention_output", "ffn_in", "ffn_out")


def head_modules(model: PreTrainedModel) -> list[str]:
    """Names of the modules with weights that turn the encoder's output into logits: the head, and the pooler if any."""
    outside = [name for name, _ in model.named_children() if name != model.base_model_prefix]
    inside = [f"{model.base_model_prefix}.pooler"] if getattr(model.base_model, "pooler", None) is not None else []
    return [name for name in [*inside, *outside] if any(True for _ in model.get_submodule(name).parameters())]


def target_modules(model: PreTrainedModel, targets: str | Sequence[str]) -> list[str]:
    """Full names of the matrices that get an adapter.

    Args:
        model: the model.
        targets: `all`, or a list of parts (:data:`PARTS`) and ends of modules' own names.

    Raises:
        ConstrictorError: if a target is none of the model's, or the architecture is not one of those known.
    """
    family, layers = family_of(model), encoder_layers(model)
    part_of = {getattr(family, part): part for part in PARTS if getattr(family, part)}
    full = {id(module): name for name, module in model.named_modules()}
    inside = [
        (path, full[id(module)])
        for layer in layers
        for path, module in layer.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
    ]
    if targets == "all":
        return [name for _, name in inside]
    known = {part_of.get(path, path) for path, _ in inside}
    chosen = []
    for target in targets:
        # A part's name goes first: BERT's 'value' is a part, and its 'dense' ends the names of three.
        if target in known:
            found = [name for path, name in inside if part_of.get(path, path) == target]
        else:
            found = [name for path, name in inside if f".{path}".endswith(f".{target}")]
        if not found:
            raise ConstrictorError(
                f"the model's layers have no matrix '{target}' for an adapter. {nearest(target, known)}"
            )
        chosen += found
    return sorted(set(chosen))
