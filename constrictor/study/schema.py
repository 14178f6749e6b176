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
Editors complete and check a study that begins with
`# yaml-language-server: $schema=schemas/study.schema.json`.

This page is made from the code's own descriptions by `make docs`.
"""


def study_schema() -> dict[str, Any]:
    """The JSON schema of a study file."""
    schema = Study.model_json_schema()
    # A study that extends another need not repeat what that one says.
    required = schema.pop("required")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "anyOf": [{"required": ["extends", "name"]}, {"required": required}],
    }


def reference_page() -> str:
    """The reference page: a section a block, a row a key."""
    schema = study_schema()
    sections = [_section("Study", schema, schema)]
    sections += [_section(name, block, schema) for name, block in schema["$defs"].items()]
    return "\n".join([_INTRODUCTION, *sections])


def _section(title: str, block: dict[str, Any], schema: dict[str, Any]) -> str:
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
    known = block.get("required", [])
    return (
        "**needed**" if key in known or key in ("name", "tasks", "steps", "recipes", "report") else "its own defaults"
    )


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
