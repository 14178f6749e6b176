"""Calibration examples as a method of compression looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from constrictor.data.batching import Encoded, pad
from constrictor.data.calibration import draw_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.study.steps.recovery import Calibration

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """Calibration examples as a method looks at them.

    Attributes:
        encoded: each example in tokens.
        labels: ``(examples,)`` class numbers, :data:`~constrictor.data.examples.UNLABELLED` where there is none.
        pad_id: id of the padding token.
        tokenizer: content of the parent's ``tokenizer.json``.
    """

    encoded: Encoded
    labels: np.ndarray
    pad_id: int
    tokenizer: str = ""

    def batches(self, size: int = 32) -> list[dict[str, Tensor]]:
        """What :func:`~constrictor.data.batching.pad` makes of batches of similar length, and their ``labels``."""
        import torch

        order = np.argsort([len(ids) for ids in self.encoded], kind="stable")
        found = []
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            arrays = {**pad([self.encoded[row] for row in rows], self.pad_id), "labels": self.labels[rows]}
            found.append({name: torch.from_numpy(values) for name, values in arrays.items()})
        return found


def draw_sample(settings: Calibration, file: Path, tokenizer: Tokenizer) -> Sample:
    """The calibration examples of a step.

    Raises:
        ConstrictorError: if there are fewer than the step wants to look at.
    """
    chosen = draw_examples(settings, file)
    return Sample(tokenizer.encode(chosen.texts), chosen.labels, tokenizer.pad_id)
