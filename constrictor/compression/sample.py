"""Calibration examples as a method of compression observes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from constrictor.data.batching import Arrays, Encoded, pad
from constrictor.data.examples import Examples, read_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.study.steps.recovery import Calibration
from constrictor.tasks.kind import Kind

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """Calibration examples.

    Attributes:
        kind: the kind of the task.
        encoded: each feature in tokens.
        targets: what a loss compares the outputs with, one entry a feature.
        labelled: whether all examples have labels.
        pad_id: id of the padding token.
        tokenizer: content of the parent's ``tokenizer.json``.
    """

    kind: Kind
    encoded: Encoded
    targets: Arrays
    labelled: bool
    pad_id: int
    tokenizer: str = ""

    def batches(self, size: int = 32) -> list[dict[str, Tensor]]:
        """What :func:`~constrictor.data.batching.pad` makes of batches of similar length, and their targets."""
        import torch

        order = np.argsort([len(ids) for ids in self.encoded], kind="stable")
        found = []
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            targets = {name: values[rows] for name, values in self.targets.items()}
            arrays = {**pad([self.encoded[row] for row in rows], self.pad_id), **targets}
            found.append({name: torch.from_numpy(values) for name, values in arrays.items()})
        return found


def draw_sample(settings: Calibration, file: Path, tokenizer: Tokenizer, kind: Kind) -> Sample:
    """The calibration examples of a step.

    Raises:
        ConstrictorError: if there are fewer than the step calibrates on.
    """
    chosen = draw_examples(settings, file)
    features = kind.encode(tokenizer, chosen.texts)
    labelled = bool(kind.is_labelled(chosen.labels).all())
    return Sample(kind, features.encoded, kind.targets(features, chosen.labels), labelled, tokenizer.pad_id)


def draw_examples(settings: Calibration, file: Path) -> Examples:
    """The calibration examples of a step, drawn by a fixed seed and in the order of the file.

    Raises:
        ConstrictorError: if there are fewer examples than the step calibrates on.
    """
    examples = read_examples(file)
    if len(examples) < settings.calibration_size:
        raise ConstrictorError(
            f"'{settings.calibration}' has {len(examples)} examples and the step calibrates on "
            f"{settings.calibration_size}. Lower 'calibration_size'."
        )
    rows = np.random.default_rng(0).choice(len(examples), settings.calibration_size, replace=False)
    return examples.take(np.sort(rows))
