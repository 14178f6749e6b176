"""The interface of every kind of task: how inputs become features, and how outputs become predictions and scores.

A kind is one folder with three modules beside the class of its package (:data:`~constrictor.tasks.registry.KINDS`):
``examples`` reads and checks a task's source (:class:`ExampleReader`), ``metrics`` has the metrics, ``model`` the losses
(:class:`KindModel`) and alone imports torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from constrictor.data.batching import Arrays, Encoded, RawOutputs, Text
from constrictor.models.head import Head
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.measure import Measure

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from constrictor.data.examples import Examples
    from constrictor.data.tokenization import Tokenizer
    from constrictor.tasks.rows import Rows


class Features(NamedTuple):
    """What a model reads of some examples.

    Attributes:
        encoded: one array a feature.
        example: ``(features,)`` number of the example that each belongs to, rising.
        lengths: ``(examples,)`` tokens of each input before truncation.
        details: what the kind itself needs to read the outputs for them.
    """

    encoded: Encoded
    example: np.ndarray
    lengths: np.ndarray
    details: Any = None


class Kind(ABC):
    """A kind of task, as one task has it.

    Attributes:
        record: the task.
        measures: the metrics that such a task may name.
        per_token: whether the output arrays hold a number a token.
        tolerates_bf16: whether outputs that were computed in bf16, which keeps three digits, serve as soft targets.
        grouped_by_length: whether features of one length are trained on together, which saves padding; not where the length
            says much of the target, since batches would then be one-sided.
        reads_first_token: whether the head reads the hidden state of the first token only.
        longer_inputs: what happens to inputs longer than the model reads, as a phrase.
        without_a_class: how a class of which there are too few examples is left out, as a phrase.
    """

    measures: dict[str, Measure]
    per_token: ClassVar[bool] = False
    grouped_by_length: ClassVar[bool] = True
    tolerates_bf16: ClassVar[bool] = True
    reads_first_token: ClassVar[bool] = True
    longer_inputs: str
    without_a_class: ClassVar[str] = "leave that class out with 'filter' (and out of 'labels', where they are given)"

    def __init__(self, record: TaskRecord) -> None:
        self.record = record

    # Examples

    @abstractmethod
    def strata(self, labels: np.ndarray) -> np.ndarray:
        """By what a sample of examples is stratified: ``(examples,)`` integer codes, or ``(examples, labels)`` of 0 and 1."""

    def groups(self, examples: Examples) -> np.ndarray | None:
        """``(examples,)`` integer codes of examples that no split may part; None where any may."""
        return None

    @abstractmethod
    def count(self, labels: np.ndarray) -> dict[str, int]:
        """Examples of each class or label; empty where there is nothing to count."""

    @abstractmethod
    def is_labelled(self, labels: np.ndarray) -> np.ndarray:
        """``(examples,)`` whether an example has a label."""

    # Encoding

    def tokenizer(self, folder: Path, content: str | None = None) -> Tokenizer:
        """A model's tokenizer.

        Args:
            folder: the model's folder.
            content: content to read instead of the folder's ``tokenizer.json``.
        """
        from constrictor.data.tokenization import Tokenizer

        return Tokenizer(folder, self.record.max_length, content)

    @abstractmethod
    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Text]) -> Features:
        """The features of some inputs."""

    @abstractmethod
    def targets(self, features: Features, labels: np.ndarray) -> Arrays:
        """What a loss compares the outputs for each feature with, ``(features, ...)`` by name."""

    # Model

    @property
    @abstractmethod
    def head(self) -> Head:
        """The head of such a model."""

    @abstractmethod
    def output_shapes(self, batch: int, length: int) -> dict[str, tuple[int, ...]]:
        """The shape of each output array for a batch."""

    # Outputs

    @abstractmethod
    def decode(self, raw: RawOutputs, features: Features, inputs: Sequence[Text]) -> Arrays:
        """The outputs for each example, ``(examples, ...)`` by name: all that predictions follow from."""

    @abstractmethod
    def predict(self, outputs: Arrays) -> np.ndarray:
        """The predictions ``(examples, ...)`` that outputs stand for."""

    @abstractmethod
    def losses(self, raw: RawOutputs, targets: Arrays) -> np.ndarray:
        """The loss of each feature, ``(features,)`` float64, as the model was trained with."""

    @abstractmethod
    def details(self, labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """Figures beyond the metrics, such as those of each class."""

    @abstractmethod
    def agreement(self, predictions: np.ndarray, others: np.ndarray) -> float | None:
        """Share of examples with the same prediction; None where predictions are values."""

    @abstractmethod
    def output_difference(self, outputs: Arrays, others: Arrays) -> float:
        """Mean absolute difference of the outputs of two models for the same examples."""

    def tune(self, outputs: Arrays, labels: np.ndarray, metric: str) -> np.ndarray | None:
        """Decision thresholds that are best on these examples; None where nothing is to be decided."""
        return None

    def predict_at(self, outputs: Arrays, thresholds: np.ndarray) -> np.ndarray:
        """The predictions with decision thresholds, for the kinds that :meth:`tune` gives some."""
        raise NotImplementedError

    # Scores

    def scores(self, labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
        """All metrics."""
        return {name: measure.of(labels, predictions) for name, measure in self.measures.items()}


class ExampleReader(Protocol):
    """What the module ``examples`` of a kind has: it reads a task before anything else is known of it."""

    def read_rows(self, task: Any) -> Rows:
        """The rows of a task, of all its splits."""

    def record_of(self, task: Any, names: list[str]) -> TaskRecord:
        """What models are to know of a task whose outputs have these names."""

    def as_test_set(self, task: Any, source: Any, record: TaskRecord) -> Any:
        """The task's settings with another source whose rows are to be read as the task's own."""


Outputs = Mapping[str, "Tensor"]
DistillationLoss = Callable[[Outputs, Outputs, Outputs, float], "Tensor"]
"""Maps a student's outputs, its teacher's, the batch and a temperature to ``(batch,)`` losses."""


class KindModel(Protocol):
    """What the module ``model`` of a kind has: the losses, with torch."""

    @property
    def DISTILLATION_LOSSES(self) -> dict[str, DistillationLoss]:
        """The losses against a teacher's outputs, by the names that a step gives them."""

    def label_loss(self, outputs: Outputs, batch: Outputs, weights: Tensor | None = None) -> Tensor:
        """``(batch,)`` losses against the labels; 0 where an example has none."""

    def standardised(
        self, model: PreTrainedModel, targets: RawOutputs, *, new_head: bool
    ) -> AbstractContextManager[float]:
        """Hold a model's head in units that suit a training while the block lasts; gives what losses are divided by."""

    def loss_weights(self, wanted: Any, targets: RawOutputs, record: TaskRecord) -> Tensor | None:
        """What a step's ``class_weights`` mean for :meth:`label_loss`; None where nothing is weighed."""
