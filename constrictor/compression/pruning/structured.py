"""Structured pruning: remove heads and feed-forward neurons, so that the matrices themselves become smaller."""

from __future__ import annotations

import math
from typing import Any

from transformers import PreTrainedModel

from constrictor.compression.pruning.budget import Part, keep_alike, keep_budget, keep_share, most_important
from constrictor.compression.pruning.cost_table import measure_costs
from constrictor.compression.pruning.importance import Importance, importance_of
from constrictor.compression.pruning.method import Pruned
from constrictor.compression.sample import Sample
from constrictor.errors import ConstrictorError
from constrictor.models.architecture import family_of
from constrictor.models.widths import Block, blocks_of, keep_heads, keep_neurons
from constrictor.study.steps.prune import Structured


def prune_structured(model: PreTrainedModel, settings: Structured, sample: Sample | None) -> Pruned:
    """Remove the least important heads and neurons of a model, in place.

    Raises:
        ConstrictorError: if the architecture's heads cannot be pruned and the settings require it, or if rounding leaves
            nothing to prune.
    """
    assert sample is not None
    blocks = blocks_of(model)
    reason = family_of(model).heads_stay
    if reason and settings.heads:
        raise ConstrictorError(f"heads of '{model.config.model_type}' cannot be pruned: {reason}. Leave 'heads' out.")
    before = _weights(blocks)
    scores = importance_of(model, sample, settings.score)
    heads, neurons, details = _decide(blocks, scores, settings, model)
    if (
        _asks_for_less(settings)
        and heads == [block.heads for block in blocks]
        and neurons == [block.neurons for block in blocks]
    ):
        raise ConstrictorError(
            f"nothing would be pruned: widths are rounded to multiples of {settings.multiple_of}, and the layers have "
            f"{blocks[0].heads} heads of {blocks[0].head_size} and {blocks[0].neurons} neurons. "
            "Lower 'multiple_of', or prune more."
        )
    for block, score, kept_heads, kept_neurons in zip(blocks, scores, heads, neurons, strict=True):
        if kept_heads < block.heads:
            keep_heads(block, most_important(score.heads, kept_heads))
        if kept_neurons < block.neurons:
            keep_neurons(block, most_important(score.neurons, kept_neurons))
    details |= {"heads": heads, "ffn": neurons, "removed_share": round(1 - _weights(blocks) / before, 6)}
    return Pruned(lambda: details)


def _asks_for_less(settings: Structured) -> bool:
    return any((settings.heads, settings.ffn, settings.sparsity, settings.latency))


def _decide(
    blocks: list[Block], scores: list[Importance], settings: Structured, model: PreTrainedModel
) -> tuple[list[int], list[int], dict[str, Any]]:
    """How many heads and neurons each layer keeps, and what the manifest records about it."""
    details: dict[str, Any] = {"score": settings.score}
    head_group = settings.multiple_of // math.gcd(settings.multiple_of, blocks[0].head_size)
    heads = [Part(score.heads, head_group, _head_weights(block)) for block, score in zip(blocks, scores, strict=True)]
    neurons = [
        Part(score.neurons, settings.multiple_of, _neuron_weights(block))
        for block, score in zip(blocks, scores, strict=True)
    ]
    together = settings.scope == "global"
    if settings.sparsity is None and settings.latency is None:
        return (
            keep_share(heads, settings.heads or 0, together=together),
            keep_share(neurons, settings.ffn or 0, together=together),
            details,
        )
    if settings.latency is not None:
        table = measure_costs(model, blocks[0])
        details["cost_table"] = table.record()
        heads = [part._replace(cost=table.head_ms) for part in heads]
        neurons = [part._replace(cost=table.neuron_ms) for part in neurons]
        savings = settings.latency * table.layer_ms * len(blocks)
    else:
        assert settings.sparsity is not None
        savings = settings.sparsity * _weights(blocks)
    if not blocks[0].into_heads:
        heads = []
    kept = (keep_budget if together else keep_alike)([*heads, *neurons], savings)
    kept_heads = kept[: len(heads)] or [block.heads for block in blocks]
    return kept_heads, kept[len(heads) :], details


def _head_weights(block: Block) -> float:
    """Weights that go with a head."""
    matrices = [*block.into_heads, block.attention_output]
    return sum(matrix.weight.numel() for matrix in matrices) / block.heads


def _neuron_weights(block: Block) -> float:
    """Weights that go with a neuron."""
    return (block.ffn_in.weight.numel() + block.ffn_out.weight.numel()) / block.neurons


def _weights(blocks: list[Block]) -> int:
    """Number of weights in all matrices."""
    return sum(
        matrix.weight.numel()
        for block in blocks
        for matrix in (*block.into_heads, block.attention_output, block.ffn_in, block.ffn_out)
    )
