"""The reference page of the study file, ordered by the path of each key and made from the settings classes.

Keys that several blocks share are documented once: a class that is a base of several alternatives has a section of its own.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

from constrictor.study.settings import Settings
from constrictor.study.study import Study

_INTRODUCTION = """# Configuration

A study is one YAML file. `config.yaml` is the default; `snakemake --configfile studies/other.yaml` runs another one
*instead*. Unknown keys are refused, with the file, the line, the allowed values and the nearest known name.
(If a file given by `--configfile` is not valid YAML, `make plan STUDY=…` reports the line; Snakemake alone does not.)
Editors complete and validate a study that begins with
`# yaml-language-server: $schema=schemas/study.schema.json`.

Headings are paths of keys, in the order of the file. In a path, `<name>` is a name of your choice. A section such as
`steps.<name> (stage: prune)` lists the keys that steps of that stage have *in addition to* those of the sections above it.

This page is generated from the settings classes by `make docs`.
"""

# Keys whose value selects the settings class of a block.
_SELECTORS = {
    "kind": "The kind of the task, which determines its head, losses and metrics.",
    "stage": "The stage: what the step does.",
    "method": "The method, for the stages `prune` and `quantize`.",
}

Model = type[Settings]


class Section(NamedTuple):
    """A section of the page.

    Attributes:
        path: the path of the block.
        models: the classes whose own keys are listed.
        label: which of several alternatives has these keys, or what they are about; empty if all have them.
        shared_by: the alternatives that share the keys, if there are several.
        shares: the sections of the keys that this alternative shares with others.
        rows: rows that precede those of the keys.
    """

    path: str
    models: list[Model]
    label: str = ""
    shared_by: str = ""
    shares: tuple[Section, ...] = ()
    rows: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The heading, without markup."""
        return f"{self.path} ({self.label})" if self.label else self.path

    @property
    def link(self) -> str:
        """A link to the section."""
        return f"[{self.label or 'all'}](#{_anchor(self.heading)})"


def reference_page() -> str:
    """The page as Markdown."""
    sections = list(_sections())
    first = {section.path: section for section in reversed(sections)}
    anchors = {
        model.__name__: _anchor(first[section.path].heading)
        for section in reversed(sections)
        for model in section.models
    }
    return "\n".join([_INTRODUCTION, *(_format(section, anchors) for section in sections)])


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading.

    >>> _anchor("steps.<name> (stage: prune)")
    'stepsname-stage-prune'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _sections() -> Iterator[Section]:
    """The sections, each class in one of them only."""
    seen: dict[Model, str] = {}
    yield Section("Top level", [Study])
    for path, models in _blocks_of(Study, ""):
        yield from _sections_at(path, models, seen)


def _sections_at(path: str, models: list[Model], seen: dict[Model, str], label: str = "") -> Iterator[Section]:
    """The sections of a block and of the blocks in it, for the classes that have none yet.

    Args:
        path: the path of the block.
        models: its alternatives.
        seen: classes that have a section, with its path; extended in place.
        label: the alternative of the surrounding block, which labels a variant of a block that others have, too.
    """
    if seen.keys() >= set(models):
        return
    found = _layers(path, models)
    if len(models) == 1:
        own = [base for base in found[0].models if seen.get(base) != path]
        found = [Section(path, own, label if path in seen.values() else "")]
    seen.update({model: path for section in found for model in section.models})
    for section in found:
        yield section
        for model in section.models:
            for below, blocks in _blocks_of(model, path):
                yield from _sections_at(below, blocks, seen, section.label)


def _layers(path: str, models: list[Model]) -> list[Section]:
    """The sections of the alternatives of a block: keys that they share, then the keys of each."""
    if len(models) == 1:
        return [Section(path, _bases(models[0]))]
    users: dict[Model, tuple[Model, ...]] = {}
    for base in dict.fromkeys(base for model in models for base in reversed(_bases(model))):
        of = tuple(model for model in models if issubclass(model, base))
        if len(of) > 1 and _own_keys(base):
            users[base] = of
    groups: dict[tuple[Model, ...], list[Model]] = {tuple(models): []}
    for base, of in users.items():
        groups.setdefault(of, []).append(base)
    shared = {
        of: Section(path, bases)
        if len(of) == len(models)
        else Section(path, bases, bases[0].topic or _choice(of, models), _choice(of, models))
        for of, bases in sorted(groups.items(), key=lambda group: -len(group[0]))
    }
    first, *others = shared.values()
    sections = [first._replace(rows=tuple(_selectors(models))), *others]
    for model in models:
        shares = tuple(section for of, section in shared.items() if model in of and section.label)
        own = [base for base in _bases(model) if base not in users]
        sections.append(Section(path, own, _choice([model], models), shares=shares))
    return sections


def _bases(model: Model) -> list[Model]:
    """A class and its base classes, except for the base of all settings."""
    return [base for base in model.__mro__ if issubclass(base, Settings) and base is not Settings]


def _choice(some: Sequence[Model], models: list[Model]) -> str:
    """The values of selectors, or the key, by which some alternatives differ from the others."""
    by_first: dict[str, list[Model]] = {}
    first = next((key for key in _SELECTORS if all(key in model.model_fields for model in models)), None)
    if first is None:
        return " | ".join(_own_keys(model)[0] for model in some)
    for model in some:
        by_first.setdefault(_values(model, first)[0], []).append(model)
    parts = []
    for value, chosen in by_first.items():
        siblings = [model for model in models if _values(model, first)[0] == value]
        methods = [method for model in chosen for method in _values(model, "method")]
        parts.append(f"{first}: {value}" + (f", method: {', '.join(methods)}" if chosen != siblings else ""))
    return " | ".join(parts)


def _values(model: Model, selector: str) -> list[str]:
    """The values of a selector that mean a class."""
    field = model.model_fields.get(selector)
    return list(get_args(field.annotation)) if field is not None and get_origin(field.annotation) is Literal else []


def _selectors(models: Sequence[Model]) -> list[str]:
    """The rows of the selectors of a block with alternatives."""
    rows = []
    for key, meaning in _SELECTORS.items():
        values = list(dict.fromkeys(value for model in models for value in _values(model, key)))
        if values:
            defaults = {field.default for model in models if (field := model.model_fields.get(key)) is not None}
            default = next((value for value in values if value in defaults), None)
            shown = f"`{json.dumps(default)}`" if default else "**required**"
            rows.append(_row(key, ", ".join(f"`{value}`" for value in values), shown, meaning))
    return rows


def _own_keys(model: Model) -> list[str]:
    """The keys that a class itself defines, without selectors that a heading names."""
    return [
        field.alias or name
        for name, field in model.model_fields.items()
        if name in inspect.get_annotations(model)
        and field.description
        and (name not in _SELECTORS or len(_values(model, name)) > 1 or (name == "method" and not field.is_required()))
    ]


def _blocks_of(model: Model, path: str) -> Iterator[tuple[str, list[Model]]]:
    """Path and alternatives of the blocks in a block."""
    own = _own_keys(model)
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in own:
            by_path: dict[str, list[Model]] = {}
            for suffix, block in _models_in(field.annotation):
                by_path.setdefault(f"{path}.{key}".lstrip(".") + suffix, []).append(block)
            yield from by_path.items()


def _models_in(annotation: Any) -> Iterator[tuple[str, Model]]:
    """Settings classes in an annotation, each with the rest of its path."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield "", annotation
    for part in get_args(annotation):
        for suffix, model in _models_in(part):
            yield (".<name>" if get_origin(annotation) is dict else "") + suffix, model


# Markdown


def _format(section: Section, anchors: dict[str, str]) -> str:
    level = "##" if "." not in section.path.replace(".<name>", "") and not section.label else "###"
    title = section.heading.replace(section.path, f"`{section.path}`") if section.path != "Top level" else section.path
    parts = [f"{level} {title}"]
    if section.shared_by:
        parts.append(f"For {section.shared_by.replace(' | ', '; ')}.")
    elif section.models:
        parts.append(inspect.cleandoc(section.models[0].__doc__ or ""))
    else:
        parts.append("One of the following.")
    if section.shares:
        parts.append(f"Further keys: {', '.join(shared.link for shared in section.shares)}.")
    rows = [*section.rows, *(row for model in section.models for row in _rows(model, anchors))]
    if rows:
        parts.append("\n".join(["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def _rows(model: Model, anchors: dict[str, str]) -> Iterator[str]:
    schema = _schema_of(model)
    for key in _own_keys(model):
        entry = schema["properties"][key]
        yield _row(key, _kind(entry, anchors), _default(key, entry, schema), _meaning(entry))


@cache
def _schema_of(model: Model) -> dict[str, Any]:
    return model.model_json_schema()


def _row(key: str, kind: str, default: str, meaning: str) -> str:
    return f"| `{key}` | {kind} | {default} | {meaning} |"


def _meaning(entry: dict[str, Any]) -> str:
    text = entry["description"].replace("|", "\\|")
    examples = ", ".join(f"`{json.dumps(example)}`" for example in entry.get("examples", []))
    return f"{text} Example: {examples}." if examples else text


def _default(key: str, entry: dict[str, Any], schema: dict[str, Any]) -> str:
    if "default" in entry:
        return "–" if entry["default"] is None else f"`{json.dumps(entry['default'])}`"
    return "**required**" if key in schema.get("required", []) else "see there"


def _kind(entry: dict[str, Any], anchors: dict[str, str]) -> str:
    """The type of a value; blocks are links to their sections."""
    kinds = list(dict.fromkeys(_kinds(entry, anchors)))
    if not _SCALARS.difference(kinds):
        kinds = ["scalar", *(kind for kind in kinds if kind not in _SCALARS)]
    return " or ".join(kinds)


_NAMES = {"integer": "integer", "number": "number", "string": "text", "boolean": "`true` or `false`"}
_SCALARS = frozenset(_NAMES.values())


def _kinds(entry: dict[str, Any], anchors: dict[str, str]) -> Iterator[str]:
    if "$ref" in entry:
        yield f"[mapping](#{anchors[entry['$ref'].rpartition('/')[2]]})"
    elif "const" in entry:
        yield f"`{entry['const']}`"
    elif "enum" in entry:
        yield ", ".join(f"`{value}`" for value in entry["enum"])
    elif "anyOf" in entry or "oneOf" in entry:
        for member in entry.get("anyOf", entry.get("oneOf", [])):
            if member.get("type") != "null":
                yield from _kinds(member, anchors)
    elif entry.get("type") == "array":
        items = entry.get("items") or {}
        yield f"list of {_kind(items, anchors)}" if items else "list"
    elif "patternProperties" in entry or isinstance(entry.get("additionalProperties"), dict):
        values = next(iter(entry.get("patternProperties", {}).values()), None) or entry["additionalProperties"]
        kind = _kind(values, anchors)
        yield f"{kind} per name" if "](#" in kind else f"mapping to {kind}"
    else:
        yield _limits(entry)


_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def _limits(entry: dict[str, Any]) -> str:
    bounds = [f"{sign} {entry[key]:g}" for key, sign in _BOUNDS.items() if key in entry]
    return " ".join([_NAMES.get(entry.get("type", ""), "any value"), ", ".join(bounds)]).strip()
