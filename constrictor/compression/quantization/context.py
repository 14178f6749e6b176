"""What every method of quantization is given and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constrictor.compression.sample import Sample, draw_sample
from constrictor.data.tokenization import Tokenizer
from constrictor.models.manifest import Manifest
from constrictor.study.training_plan import TrainingPlan
from constrictor.tasks.kind import Kind
from constrictor.tasks.registry import kind_of
from constrictor.training.node import Node, TaskFolder

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class QuantizationContext:
    """What a method of quantization works with.

    Attributes:
        settings: the step.
        parent: the artifact to quantize.
        before: its manifest.
        staging: folder to write the new artifact's files to.
        node: where to work.
        task: the prepared task.
        calibration: examples, for the methods that calibrate on some.
        plan: what a quantization-aware training reads.
    """

    settings: Any
    parent: Path
    before: Manifest
    staging: Path
    node: Node
    task: TaskFolder
    calibration: Path | None = None
    plan: TrainingPlan | None = None

    @cached_property
    def kind(self) -> Kind:
        """The kind of the task, with the longest input of the model to quantize."""
        return kind_of(self.before.trained_for())

    def model(self) -> PreTrainedModel:
        """The torch model to quantize, in float32."""
        from constrictor.models.torch_model import load_model

        return load_model(self.parent, self.kind.head, self.kind.record.max_length, seed=self.node.seed)

    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return self.kind.tokenizer(self.parent)

    def sample(self) -> Sample:
        """The calibration examples.

        Raises:
            ConstrictorError: if there are fewer than the step calibrates on.
        """
        assert self.calibration is not None, "the rule hands examples to every method that calibrates"
        return draw_sample(self.settings, self.calibration, self.tokenizer(), self.kind)


Changes = dict[str, Any]
"""Fields of the manifest that a method changes: `precision`, `details`, `versions` and, if need be, `format`."""
