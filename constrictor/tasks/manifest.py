"""What is known of a prepared task. Apart from the preparing, so that who only reads a task imports and depends on none of it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from constrictor.files.reading import read_parsed
from constrictor.models.manifest import TaskRecord
from constrictor.study.settings import Settings


class TaskManifest(Settings):
    """What later stages know of a task."""

    task: TaskRecord
    metric: str
    rows: dict[str, int] = Field(description="Examples a split.")
    classes: dict[str, dict[str, int]] = Field(description="Examples a class, a split; empty without classes.")
    dropped: dict[str, int] = Field(description="Rows left out, by the reason.")
    normalised: int = Field(0, description="Rows, of all that were read, whose text `normalise` has changed.")
    repaired: int = Field(
        0, description="Rows, of all that were read, in whose text a half of a character was replaced."
    )
    also_in_training: dict[str, int] = Field(
        {},
        description="Examples of each split that the data bring whose text is also in the training data that were read.",
    )
    seen_in_training: dict[str, int] = Field({}, description="Those of them that are still in the training split.")
    fingerprint: dict[str, str] = Field(description="SHA-256 of ids, texts and labels, a split.")


def read_task(file: Path) -> TaskManifest:
    """Read a task's manifest.

    Raises:
        ConstrictorError: if it was changed or cut off.
    """
    return read_parsed(file, TaskManifest.model_validate_json)
