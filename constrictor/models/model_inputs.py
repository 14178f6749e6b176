"""Which parts of a batch a torch model reads."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache

from torch import Tensor
from transformers import PreTrainedModel

from constrictor.data.batching import TYPES


def inputs_of(model: PreTrainedModel, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a model reads of a batch, on the model's device: ids and mask, and of pairs the token types if it has several."""
    names = ["input_ids", "attention_mask"]
    if TYPES in batch and has_token_types(model):
        names.append(TYPES)
    return {name: batch[name].to(model.device) for name in names}


def has_token_types(model: PreTrainedModel) -> bool:
    """Whether a model distinguishes the two texts of a pair by token types: BERT does, RoBERTa and DistilBERT do not."""
    # A configuration may hold the number though the architecture has no use for it.
    return (getattr(model.config, "type_vocab_size", None) or 0) > 1 and _takes_types(type(model).forward)


@cache
def _takes_types(forward: Callable[..., object]) -> bool:
    return TYPES in inspect.signature(forward).parameters
