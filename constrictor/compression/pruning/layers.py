"""Drop whole layers (Sajjad et al., 2023): the coarsest kind of pruning, and the one that saves most time a weight."""

from __future__ import annotations

from transformers import PreTrainedModel

from constrictor.compression.pruning.method import Pruned
from constrictor.compression.sample import Sample
from constrictor.models.architecture import keep_layers
from constrictor.study.steps.prune import Layers


def prune_layers(model: PreTrainedModel, settings: Layers, sample: Sample | None) -> Pruned:
    """Keep some layers of a model, in place.

    Raises:
        ConstrictorError: if a layer does not exist, or the architecture has none of its own to drop.
    """
    before = model.config.num_hidden_layers
    keep_layers(model, settings.keep)
    return Pruned(lambda: {"kept_layers": settings.keep, "of_layers": before})
