"""The JSON schema of a study file; writes it and the reference page.

python -m constrictor.study.schema           writes both
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from constrictor.study.reference import reference_page
from constrictor.study.study import Study

ROOT = Path(__file__).resolve().parents[2]
SCHEMA_FILE = ROOT / "schemas" / "study.schema.json"
REFERENCE_FILE = ROOT / "docs" / "configuration.md"


def study_schema() -> dict[str, Any]:
    """The JSON schema of a study file."""
    schema = Study.model_json_schema()
    blocks = schema.pop("$defs")
    # A study that extends another may omit any key at any depth.
    overlay = _without_required({"properties": schema["properties"], "additionalProperties": False})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": schema["title"],
        "description": schema["description"],
        "type": "object",
        "if": {"required": ["extends"]},
        "then": overlay,
        "else": {key: schema[key] for key in ("properties", "required", "additionalProperties")},
        "$defs": {**blocks, **{f"{name}{_PARTIAL}": _without_required(block) for name, block in blocks.items()}},
    }


_PARTIAL = "-partial"


def _without_required(part: Any) -> Any:
    """A schema without required keys, which refers to blocks without required keys."""
    if isinstance(part, list):
        return [_without_required(item) for item in part]
    if not isinstance(part, dict):
        return part
    loose = {key: _without_required(value) for key, value in part.items() if key not in ("required", "discriminator")}
    if "$ref" in loose:
        loose["$ref"] += _PARTIAL
    if "oneOf" in loose:  # without its stage, a step may match several
        loose["anyOf"] = loose.pop("oneOf")
    for entries in ("properties", "patternProperties"):
        if entries in loose:
            loose[entries] = {name: _or_null(entry) for name, entry in loose[entries].items()}
    if isinstance(loose.get("additionalProperties"), dict):
        loose["additionalProperties"] = _or_null(loose["additionalProperties"])
    return loose


def _or_null(entry: dict[str, Any]) -> dict[str, Any]:
    """A schema that allows null as well, which removes a key of the base."""
    described = {key: value for key, value in entry.items() if key == "description"}
    return {
        **described,
        "anyOf": [{key: value for key, value in entry.items() if key not in described}, {"type": "null"}],
    }


def write_schema_and_reference() -> None:
    """Write both files."""
    SCHEMA_FILE.write_text(json.dumps(study_schema(), indent=2) + "\n", encoding="utf-8")
    REFERENCE_FILE.write_text(reference_page(), encoding="utf-8")


if __name__ == "__main__":
    write_schema_and_reference()
