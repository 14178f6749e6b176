"""What each format's writer works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from constrictor.data.batching import Batch, Encoded, Text, predict_logits
from constrictor.data.tokenization import Tokenizer
from constrictor.models.manifest import Manifest
from constrictor.study.steps.export import Export

Changes = dict[str, Any]
"""Fields of the manifest that a writer changes: `details`, `versions` and, if need be, `precision` or `max_length`."""


@dataclass(frozen=True)
class ExportContext:
    """What a writer works with.

    Attributes:
        settings: the step.
        parent: the artifact to export.
        before: its manifest.
        texts: real texts to compare the two on.
        staging: folder to write the new artifact's files to.
    """

    settings: Export
    parent: Path
    before: Manifest
    texts: list[Text]
    staging: Path

    def encode(self, max_length: int) -> tuple[Encoded, int]:
        """The texts in tokens, cut to a length, and the id of the padding token."""
        tokenizer = Tokenizer(self.parent, max_length, truncation=self.before.truncation)
        return tokenizer.encode(self.texts), tokenizer.pad_id

    def logits(self, predict: Callable[[Batch], np.ndarray]) -> np.ndarray:
        """What a model says about the texts, ``(texts, classes)``."""
        return predict_logits(predict, *self.encode(self.before.trained_for()[1]))
