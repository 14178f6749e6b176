"""Settings of a head that a checkpoint brings and that is kept."""

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
