"""What each format's writer works with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from constrictor.data.batching import RawOutputs, Text, predict_outputs
from constrictor.models.manifest import Manifest
from constrictor.runtimes.opened import Opened, Predict
from constrictor.runtimes.runtime import Runtime
from constrictor.study.steps.export import Export
from constrictor.tasks.kind import Features, Kind
from constrictor.tasks.registry import kind_of

Changes = dict[str, Any]
"""Fields of the manifest that a writer changes: `details`, `versions` and, if need be, `precision` or `task`."""


@dataclass(frozen=True)
class ExportContext:
    """What a writer works with.

    Attributes:
        settings: the step.
        parent: the artifact to export.
        before: its manifest; the longest input is that of the exported model.
        inputs: real inputs to compare the two on.
        staging: folder to write the new artifact's files to.
    """

    settings: Export
    parent: Path
    before: Manifest
    inputs: list[Text]
    staging: Path

    @cached_property
    def kind(self) -> Kind:
        """The kind of the task."""
        return kind_of(self.before.trained_for())

    @cached_property
    def features(self) -> Features:
        """The inputs as features."""
        return self.kind.encode(self.kind.tokenizer(self.parent), self.inputs)

    def reference(self, opened: Opened) -> RawOutputs:
        """The parent's outputs for the inputs.

        Raises:
            ConstrictorError: if they are not finite.
        """
        runtime = Runtime(self.before, self.kind, self.kind.tokenizer(self.parent), opened)
        return runtime.outputs_of(self.features)

    @cached_property
    def pad_id(self) -> int:
        """Id of the padding token."""
        return self.kind.tokenizer(self.parent).pad_id

    def outputs(self, predict: Predict) -> RawOutputs:
        """A model's outputs for the inputs."""
        return predict_outputs(predict, self.features.encoded, self.pad_id, per_token=self.kind.per_token)
