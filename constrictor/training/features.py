"""Feature distillation: which modules of student and teacher to observe, and the loss between their outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.errors import ConstrictorError
from constrictor.models.architecture import encoder_layers, family_of
from constrictor.models.widths import Block, blocks_of
from constrictor.study.layers import layer_pairs
from constrictor.study.steps.feature_distillation import Attention, Hidden
from constrictor.training.feature_losses import hidden_loss, relation_loss, relation_scores

Representations = dict[str, Tensor]
"""What the modules of one model put out, by the names that a feature gives them."""


class HiddenStates:
    """What layers put out; the student's is projected where widths differ."""

    def __init__(self, settings: Hidden, student: PreTrainedModel, teacher: PreTrainedModel, seed: int) -> None:
        """Pair the layers.

        Args:
            settings: which layers, by which loss.
            student: the model that is trained.
            teacher: the model that it copies.
            seed: seed of the projections.

        Raises:
            ConstrictorError: if an architecture is not known, or a layer does not exist.
        """
        self._settings = settings
        self._student = student
        for model in (student, teacher):
            if family_of(model).layers_stay:
                raise ConstrictorError(
                    f"hidden states of '{model.config.model_type}' cannot be assigned to layers. Leave 'hidden' out."
                )
        self._pairs = layer_pairs(settings.layers, len(encoder_layers(student)), len(encoder_layers(teacher)))
        narrow, wide = student.config.hidden_size, teacher.config.hidden_size
        self.projections = nn.ModuleList(_projections(len(self._pairs), narrow, wide, seed) if narrow != wide else [])

    def modules_of(self, model: PreTrainedModel) -> dict[str, nn.Module]:
        """The modules of one of the two models whose outputs the loss reads."""
        side = 0 if model is self._student else 1
        layers = encoder_layers(model)
        return {f"hidden {pair[side]}": layers[pair[side]] for pair in self._pairs}

    def loss(self, student: Representations, teacher: Representations, mask: Tensor) -> Tensor:
        """Mean over the pairs of layers, weighted: ``(batch,)``."""
        found = []
        for number, (ours, theirs) in enumerate(self._pairs):
            state = student[f"hidden {ours}"]
            if len(self.projections):
                state = self.projections[number](state)
            target = teacher[f"hidden {theirs}"]
            found.append(hidden_loss(state.float(), target.float(), mask, self._settings.loss))
        return self._settings.weight * torch.stack(found).mean(dim=0)


class AttentionMaps:
    """Scores of attention, computed anew from queries and keys: so they hold no dropout, and any kernel may do the rest."""

    def __init__(self, settings: Attention, student: PreTrainedModel, teacher: PreTrainedModel) -> None:
        """Pair the layers.

        Args:
            settings: which layers, by which loss.
            student: the model that is trained.
            teacher: the model that it copies.

        Raises:
            ConstrictorError: if an architecture is not known, a layer does not exist, or heads do not agree.
        """
        self._settings = settings
        self._student = student
        self._blocks = [_attention_blocks(student), _attention_blocks(teacher)]
        self._pairs = layer_pairs(settings.layers, *map(len, self._blocks))
        self._heads = [self._agreed_heads(ours, theirs) for ours, theirs in self._pairs]
        self._relations = [("query", "key"), ("value", "value")] if settings.values else [("query", "key")]

    def _agreed_heads(self, ours: int, theirs: int) -> int:
        student, teacher = self._blocks[0][ours], self._blocks[1][theirs]
        wanted = self._settings.relation_heads
        if wanted is None:
            if student.heads != teacher.heads:
                raise ConstrictorError(
                    f"attention: the student's layer {ours} has {student.heads} heads and the teacher's layer {theirs} has "
                    f"{teacher.heads}, so heads do not correspond. Set 'relation_heads', or leave 'attention' out."
                )
            return student.heads
        for owner, block in (("student", student), ("teacher", teacher)):
            width = block.heads * block.head_size
            if width % wanted:
                raise ConstrictorError(
                    f"attention: the {owner}'s queries are {width} wide, which 'relation_heads: {wanted}' does not divide."
                )
        return wanted

    def modules_of(self, model: PreTrainedModel) -> dict[str, nn.Module]:
        """The modules of one of the two models whose outputs the loss reads."""
        side = 0 if model is self._student else 1
        used = ["query", "key", "value"] if self._settings.values else ["query", "key"]
        return {
            f"{name} {pair[side]}": matrix
            for pair in self._pairs
            for name, matrix in zip(used, self._blocks[side][pair[side]].into_heads, strict=False)
        }

    def loss(self, student: Representations, teacher: Representations, mask: Tensor) -> Tensor:
        """Mean over the pairs of layers, weighted: ``(batch,)``."""
        found = []
        for (ours, theirs), heads in zip(self._pairs, self._heads, strict=True):
            for left, right in self._relations:
                scores = [
                    relation_scores(kept[f"{left} {layer}"], kept[f"{right} {layer}"], heads).float()
                    for kept, layer in ((student, ours), (teacher, theirs))
                ]
                found.append(relation_loss(scores[0], scores[1], mask, self._settings.loss))
        return self._settings.weight * torch.stack(found).sum(dim=0) / len(self._pairs)


def _attention_blocks(model: PreTrainedModel) -> list[Block]:
    blocks = blocks_of(model)
    if family_of(model).layers_stay or not blocks[0].into_heads:
        raise ConstrictorError(
            f"attention maps of '{model.config.model_type}' cannot be distilled. Leave 'attention' out."
        )
    return blocks


def _projections(count: int, narrow: int, wide: int, seed: int) -> list[nn.Linear]:
    """Projections that begin as orthogonal maps, so that states keep their size as far as they can."""
    generator = torch.Generator().manual_seed(seed)
    found = [nn.Linear(narrow, wide) for _ in range(count)]
    for projection in found:
        nn.init.orthogonal_(projection.weight, generator=generator)
        nn.init.zeros_(projection.bias)
    return found
