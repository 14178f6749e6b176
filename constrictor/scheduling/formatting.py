"""Settings as one line of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LONGEST = 40


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The values of nested mappings by their dotted paths.

    >>> flat({"alpha": 0.5, "student": {"layers": [0, 2]}})
    {'alpha': 0.5, 'student.layers': [0, 2]}
    """
    if not isinstance(value, dict):
        return {path: value}
    return {
        key: item for name, below in value.items() for key, item in flat(below, f"{path}.{name}".strip(".")).items()
    }


def format_settings(settings: Mapping[str, Any]) -> str:
    """Settings, nested ones by their dotted paths.

    >>> format_settings({"epochs": 3, "student": {"layers": [0, 2]}})
    'epochs 3, student.layers [0, 2]'
    """
    return ", ".join(f"{key} {format_value(value)}" for key, value in flat(dict(settings)).items())


def format_value(value: Any) -> str:
    """A value, shortened where it is long.

    >>> format_value(None), format_value("wanda"), format_value(0.5)
    ('–', 'wanda', '0.5')
    """
    text = "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
