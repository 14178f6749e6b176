"""Settings of the head that a checkpoint brings."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from constrictor.study.settings import Label, Settings


class KeptHead(Settings):
    """The head of a checkpoint is kept if its outputs are the task's labels, matched by name (`id2label`)."""

    topic: ClassVar[str] = "labels of a checkpoint's head"

    labels: dict[Label, Label] | None = Field(
        None,
        description="The task's label for outputs of the checkpoint whose names differ from it by more than case. Default: none "
        "differs.",
        examples=[{"LABEL_0": "negative", "LABEL_1": "positive"}],
    )


class ReplaceableHead(KeptHead):
    """A head that is kept, or replaced by a new one that is trained."""

    topic: ClassVar[str] = "head"

    new_head: bool = Field(
        False, description="Replace the head of the checkpoint, for example one with other classes, by a new one."
    )
