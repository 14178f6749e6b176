"""Magnitude pruning: the weights nearest to zero matter least (Han et al., 2015)."""

from __future__ import annotations

from torch import Tensor
from transformers import PreTrainedModel

from constrictor.compression.pruning.masked import Mask, mask_gradually
from constrictor.compression.pruning.masks import pattern_masks, sparsity_masks
from constrictor.compression.pruning.method import Pruned, keep_zeros
from constrictor.compression.sample import Sample
from constrictor.models.architecture import encoder_matrices
from constrictor.models.widths import by_output
from constrictor.study.steps.prune import Magnitude


class MagnitudeMask(Mask):
    """A mask by the magnitude of the moment."""

    def importance(self, weight: Tensor) -> Tensor:
        """The magnitude, and -1 where the weight is masked: what is out stays out."""
        return weight.abs().where(self.kept, -1)


def prune_by_magnitude(model: PreTrainedModel, settings: Magnitude, sample: Sample | None) -> Pruned:
    """Zero the smallest weights of the encoder's matrices, in place: at once, or gradually during recovery fine-tuning.

    Raises:
        ConstrictorError: if a pattern does not fit the matrices.
    """
    matrices = encoder_matrices(model)
    magnitudes = {name: by_output(module).detach().abs() for name, module in matrices.items()}
    if settings.pattern is not None:
        return keep_zeros(matrices, pattern_masks(magnitudes, settings.pattern))
    assert settings.sparsity is not None, "the settings have one of the two"
    if settings.gradual:
        return mask_gradually(matrices, MagnitudeMask, settings.sparsity, settings.scope)
    return keep_zeros(matrices, sparsity_masks(magnitudes, settings.sparsity, settings.scope))
