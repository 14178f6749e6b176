"""The JSON schema of a study and its reference page, both made from the settings models.

python -m constrictor.study.schema           writes both
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from constrictor.study.study import Study

ROOT = Path(__file__).resolve().parents[2]
SCHEMA_FILE = ROOT / "schemas" / "study.schema.json"
REFERENCE_FILE = ROOT / "docs" / "configuration.md"

_INTRODUCTION = """# Configuration

A study is one YAML file. `config.yaml` is the default one; `snakemake --configfile studies/other.yaml` runs another
*instead*. Unknown keys are refused, and a message names the file, the line, what is allowed and the nearest known name.
(Where a file of `--configfile` is no YAML at all, `make plan STUDY=…` names the line and Snakemake alone does not.)
Editors complete and check a study that begins with
`# yaml-language-server: $schema=schemas/study.schema.json`.

This page is made from the code's own descriptions by `make docs`.
"""


def study_schema() -> dict[str, Any]:
    """The JSON schema of a study file."""
    schema = Study.model_json_schema()
    blocks = schema.pop("$defs")
    # A study that extends another repeats nothing of it, so in such a one no key is needed at any depth.
    overlay = _without_needs({"properties": schema["properties"], "additionalProperties": False})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": schema["title"],
        "description": schema["description"],
        "type": "object",
        "if": {"required": ["extends"]},
        "then": overlay,
        "else": {key: schema[key] for key in ("properties", "required", "additionalProperties")},
        "$defs": {**blocks, **{f"{name}{_PARTIAL}": _without_needs(block) for name, block in blocks.items()}},
    }


_PARTIAL = "-partial"


def _without_needs(part: Any) -> Any:
    """A schema in which no key is needed, and which refers to blocks of the same kind."""
    if isinstance(part, list):
        return [_without_needs(item) for item in part]
    if not isinstance(part, dict):
        return part
    loose = {key: _without_needs(value) for key, value in part.items() if key not in ("required", "discriminator")}
    if "$ref" in loose:
        loose["$ref"] += _PARTIAL
    if "oneOf" in loose:  # without its stage, a step may fit several
        loose["anyOf"] = loose.pop("oneOf")
    if "patternProperties" in loose:  # null takes an entry away
        named = loose["patternProperties"]
        loose["patternProperties"] = {name: {"anyOf": [entry, {"type": "null"}]} for name, entry in named.items()}
    return loose


def reference_page() -> str:
    """The reference page: a section a block, a row a key."""
    schema = study_schema()
    blocks = {"Study": {**schema, **schema["else"]}, **schema["$defs"]}
    sections = [_section(name, block) for name, block in blocks.items() if not name.endswith(_PARTIAL)]
    return "\n".join([_INTRODUCTION, *sections])


def _section(title: str, block: dict[str, Any]) -> str:
    rows = [
        f"| `{key}` | {_kind(entry)} | {_default(key, entry, block)} | {_describe(entry)} |"
        for key, entry in block["properties"].items()
    ]
    head = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {title}", "", block["description"], "", *head, *rows, ""])


def _describe(entry: dict[str, Any]) -> str:
    text = entry.get("description", "").replace("|", "\\|")
    examples = ", ".join(f"`{json.dumps(example)}`" for example in entry.get("examples", []))
    return f"{text} For example {examples}." if examples else text


def _default(key: str, entry: dict[str, Any], block: dict[str, Any]) -> str:
    if "default" in entry:
        return "–" if entry["default"] is None else f"`{json.dumps(entry['default'])}`"
    return "**needed**" if key in block.get("required", []) else "its own defaults"


def _kind(entry: dict[str, Any]) -> str:
    """What may stand there, in words; blocks are links to their sections."""
    return " or ".join(dict.fromkeys(_kinds(entry)))


def _kinds(entry: dict[str, Any]) -> Iterator[str]:
    if "$ref" in entry:
        name = entry["$ref"].rpartition("/")[2]
        yield f"[{name}](#{name.lower()})"
    elif "const" in entry:
        yield f"`{entry['const']}`"
    elif "enum" in entry:
        yield ", ".join(f"`{value}`" for value in entry["enum"])
    elif "anyOf" in entry or "oneOf" in entry:
        for member in entry.get("anyOf", entry.get("oneOf", [])):
            if member.get("type") != "null":
                yield from _kinds(member)
    elif entry.get("type") == "array":
        items = entry.get("items") or {}
        yield f"list of {_kind(items)}" if items else "list"
    elif "patternProperties" in entry or isinstance(entry.get("additionalProperties"), dict):
        values = next(iter(entry.get("patternProperties", {}).values()), None) or entry["additionalProperties"]
        yield f"mapping of names to {_kind(values)}"
    else:
        yield _limits(entry)


_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def _limits(entry: dict[str, Any]) -> str:
    names = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
    bounds = [f"{sign} {entry[key]:g}" for key, sign in _BOUNDS.items() if key in entry]
    return " ".join([names.get(entry.get("type", ""), "any value"), ", ".join(bounds)]).strip()


def write_schema_and_reference() -> None:
    """Write both files."""
    SCHEMA_FILE.write_text(json.dumps(study_schema(), indent=2) + "\n", encoding="utf-8")
    REFERENCE_FILE.write_text(reference_page(), encoding="utf-8")


if __name__ == "__main__":
    write_schema_and_reference()
