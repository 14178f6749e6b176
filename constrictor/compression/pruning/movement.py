"""Movement pruning: what shrinks while the model is fine-tuned matters least (Sanh et al., 2020).

Each weight ``W`` has a score ``S`` that is learned with it. The layer computes with ``W' = W * M``, where the mask ``M``
keeps the highest scores of each matrix. The mask is treated as if it were the score (straight-through), so that

    dL/dS = dL/dW' * W        dL/dW = dL/dW' * M

A score falls where the loss pushes the weight towards zero. A masked weight stands still, its score goes on moving, and
with it the weight may come back. Masks are made anew after each step, on the cubic schedule of gradual pruning.

In the paper scores start at zero and the sparsity rises over many epochs. In a recovery of two, that masks a third of the
weights before their scores know anything: a MiniLM at 70 % fell to chance (accuracy 0.50). Here scores start at the
weights' magnitudes, and movement corrects them: 0.82 to 0.83, with 0.82 for gradual magnitude pruning and 0.84 dense.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.compression.pruning.masked import Mask, mask_gradually
from constrictor.compression.pruning.method import Pruned
from constrictor.compression.sample import Sample
from constrictor.models.architecture import encoder_matrices
from constrictor.study.steps.prune import Movement


class MovementMask(Mask):
    """A mask by scores that are learned."""

    def __init__(self, weight: Tensor, score_lr: float) -> None:
        """Start with a mask that keeps all of a weight, and its magnitude as scores.

        Args:
            weight: the weight.
            score_lr: learning rate of the scores, as a multiple of that of the weight. Adam's steps do not depend on the
                size of gradients, so magnitudes that are so much smaller are ranked alike, and one rate serves both.
        """
        super().__init__(weight)
        self.scores = nn.Parameter(weight.abs() / score_lr)

    def forward(self, weight: Tensor) -> Tensor:
        """The masked weight; the difference is zero and hands the mask's gradient to the scores."""
        return weight * (self.kept + (self.scores - self.scores.detach()))

    def importance(self, weight: Tensor) -> Tensor:
        """The scores."""
        return self.scores


def prune_by_movement(model: PreTrainedModel, settings: Movement, sample: Sample | None) -> Pruned:
    """Give the weights of the encoder's matrices scores; the masks follow from them during fine-tuning."""
    make = partial(MovementMask, score_lr=settings.score_lr)
    return mask_gradually(encoder_matrices(model), make, settings.sparsity, "layer")
