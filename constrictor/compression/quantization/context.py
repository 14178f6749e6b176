"""What every method of quantization is given and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constrictor.compression.sample import Sample, draw_sample
from constrictor.data.tokenization import Tokenizer
from constrictor.models.manifest import Manifest
from constrictor.study.training_plan import TrainingPlan
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
        calibration: examples to look at, for the methods that look at some.
        plan: what a quantization-aware training is trained on.
        task: the prepared task, for the methods that calibrate or train.
    """

    settings: Any
    parent: Path
    before: Manifest
    staging: Path
    node: Node
    calibration: Path | None = None
    plan: TrainingPlan | None = None
    task: TaskFolder | None = None

    def model(self) -> PreTrainedModel:
        """The torch model to quantize, in float32."""
        from constrictor.models.torch_model import load_classifier

        return load_classifier(self.parent, *self.before.trained_for(), seed=self.node.seed)

    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return Tokenizer(self.parent, self.before.trained_for()[1], truncation=self.before.truncation)

    def sample(self) -> Sample:
        """The calibration examples.

        Raises:
            ConstrictorError: if there are fewer than the step wants to look at.
        """
        assert self.calibration is not None, "the rule hands examples to every method that looks at some"
        return draw_sample(self.settings, self.calibration, self.tokenizer())


Changes = dict[str, Any]
"""Fields of the manifest that a method changes: `precision`, `details`, `versions` and, if need be, `format`."""
