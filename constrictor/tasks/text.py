"""What the kinds have in common that read texts or pairs of texts, one feature each, and put out logits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from constrictor.data.batching import Arrays, RawOutputs, Text
from constrictor.models.head import Head
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.kind import Features, Kind
from constrictor.tasks.own_head import order_of_outputs

if TYPE_CHECKING:
    from constrictor.data.tokenization import Tokenizer

LOGITS = "logits"

_TRUNCATED = {"head": "at the end", "tail": "at the beginning", "head_tail": "in the middle"}


class TextKind(Kind):
    """One feature an example, one array ``logits`` of shape ``(examples, outputs)``."""

    problem_type: ClassVar[str]
    """What transformers calls the kind in a model's configuration."""
    predicts_labels: ClassVar[bool] = True
    """Whether each output stands for a label."""

    def __init__(self, record: TaskRecord) -> None:
        super().__init__(record)
        self.names = record.labels
        self.truncation = record.options.get("truncation", "head")
        self.longer_inputs = f"truncated {_TRUNCATED[self.truncation]}"

    def tokenizer(self, folder: Path, content: str | None = None) -> Tokenizer:
        """A model's tokenizer, which truncates as the task has it."""
        from constrictor.data.tokenization import Tokenizer

        return Tokenizer(folder, self.record.max_length, content, truncation=self.truncation)

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Text]) -> Features:
        """One feature an input."""
        encoded, lengths = tokenizer.tokenize(inputs)
        return Features(encoded, np.arange(len(encoded)), lengths)

    @property
    def no_label(self) -> np.ndarray:
        """What stands for the label of an example that has none."""
        raise NotImplementedError

    def targets(self, features: Features, labels: np.ndarray) -> Arrays:
        """The labels, also of a corpus, which has none and does not depend on the task."""
        if labels.dtype != self.no_label.dtype:
            labels = np.broadcast_to(self.no_label, (len(labels), *self.no_label.shape))
        return {"labels": labels[features.example]}

    @property
    def head(self) -> Head:
        """A sequence classification head with a name an output."""
        config: dict[str, Any] = {
            "id2label": dict(enumerate(self.names)),
            "label2id": {label: number for number, label in enumerate(self.names)},
            "problem_type": self.problem_type,
        }
        return Head(
            "AutoModelForSequenceClassification",
            self.names,
            {LOGITS: LOGITS},
            config,
            "SEQ_CLS",
            "text classifier",
            partial(order_of_outputs, names=self.names, labelled=self.predicts_labels, problem_type=self.problem_type),
        )

    def output_shapes(self, batch: int, length: int) -> dict[str, tuple[int, ...]]:
        """A logit an output."""
        return {LOGITS: (batch, len(self.names))}

    def decode(self, raw: RawOutputs, features: Features, inputs: Sequence[Text]) -> Arrays:
        """The logits as they are."""
        return {LOGITS: np.asarray(raw[LOGITS])}

    def output_difference(self, outputs: Arrays, others: Arrays) -> float:
        """Mean absolute difference of a logit."""
        return float(np.abs(outputs[LOGITS] - others[LOGITS]).mean())
