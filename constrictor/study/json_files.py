"""Read JSON files that may be missing, half-written or somebody else's, where that only means that nothing is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_object(file: Path) -> dict[str, Any]:
    """The keys and values of a JSON file; none if it is not there, cannot be read, or holds something else."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
