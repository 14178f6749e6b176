"""The provenance of a file: its lineage with settings, code, data, machine, versions, and how to make it again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from constrictor.errors import ConstrictorError
from constrictor.machine import MACHINE_LINE
from constrictor.models.manifest import MANIFEST, Manifest
from constrictor.progress import format_seconds
from constrictor.scheduling.formatting import format_settings
from constrictor.scheduling.output_paths import OutputPath, command_for, nearest_file, parse_output_path
from constrictor.scheduling.snakemake_records import Record, record_of
from constrictor.study.lineage import ancestry
from constrictor.study.study import AnyStep

MOST_INPUTS = 8


def explain(file: Path) -> str:
    """How an output of a study was made, as far as it is recorded, as text.

    Args:
        file: the output, relative to the folder that the workflow runs in.

    Raises:
        ConstrictorError: if there is no such file, or it is no output of a study.
    """
    if not file.is_file():
        raise ConstrictorError(f"there is no file {file}. {nearest_file(file)}")
    output = parse_output_path(file)
    if output is None:
        raise ConstrictorError(f"{file} is no output of a study: those lie in data/, results/ and reports/.")
    declared = file.with_name(MANIFEST) if file.parent.name == "model" else file  # of a model, the manifest is declared
    record, model = record_of(str(declared)), _manifest(output.node / "model" / MANIFEST)
    if record is None and model is None:
        raise ConstrictorError(
            f"Snakemake has no record of {file}, and there is no model beside it, so it is unknown how it was made. "
            f"To make it again: {command_for(output, declared)}"
        )
    lines = [("Made", _made(record)), ("Machine", _machine(record)), *_about(model), *_family(output, model)]
    lines += [*_data(output), *_inputs(record), ("Again", command_for(output, declared))]
    lines += [("By hand", record.command)] if record else []
    return "\n".join([str(file), *(f"  {title:<9} {text}" for title, text in lines)])


def _manifest(file: Path) -> Manifest | None:
    """A manifest; None if it is missing or damaged."""
    try:
        return Manifest.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _made(record: Record | None) -> str:
    if record is None:
        return "unknown: Snakemake has no record of it (its records in .snakemake were not copied with it)"
    when, took = "", ""
    if record.started is not None and record.ended is not None:
        when = f" on {datetime.fromtimestamp(record.started):%Y-%m-%d %H:%M}"
        took = f" in {format_seconds(max(0.0, record.ended - record.started))}"
    return f"by {record.rule}{when}{took}" + (f", code {record.code}" if record.code else "")


def _machine(record: Record | None) -> str:
    """The machine that the job ran on, as its log records it."""
    for log in record.logs if record else []:
        try:
            found = re.search(MACHINE_LINE, Path(log).read_text(encoding="utf-8"))
        except OSError:
            continue
        if found:
            return found[1]
    return "unknown: the log is missing, or does not record it"


def _about(model: Manifest | None) -> Iterator[tuple[str, str]]:
    if model is None:
        return
    zeros = f" ({model.sparsity:.0%} zeros)" if model.sparsity >= 0.005 else ""  # not "0 %"
    layers = f", {model.layers} layers" if model.layers else ""
    yield (
        "Model",
        f"{model.format} in {model.precision}, {model.parameters / 1e6:.1f} M parameters{zeros}{layers}, "
        f"{model.bytes / 1e6:.1f} MB in {len(model.files)} files",
    )
    yield "Versions", ", ".join(f"{package} {version}" for package, version in model.versions.items())


def _family(output: OutputPath, model: Manifest | None) -> Iterator[tuple[str, str]]:
    """One line for each checkpoint that training started from, and one for each step."""
    if model is None:
        return
    title = "Family"
    for lineage, step in zip(ancestry(output.lineage), model.lineage, strict=False):
        record = record_of(str(output._replace(lineage=lineage).node / "model" / MANIFEST))
        for read in record.reads if record else []:
            if f"data/{output.study}/models/" in read:
                yield title, _checkpoint(Path(read))
                title = ""
        code = f" [code {record.code}]" if record and record.code else ""
        yield title, f"{lineage}: {_settings(step.settings)}{code}"
        title = ""


def _checkpoint(manifest: Path) -> str:
    found = _manifest(manifest)
    if found is None:
        return f"{manifest.parent.name}: a checkpoint that has been deleted"
    weights = next((entry.sha256[:12] for name, entry in found.files.items() if name.endswith(".safetensors")), "")
    source = format_settings(found.details.get("source", {}))
    return f"{manifest.parent.name}: {source}, {found.parameters / 1e6:.1f} M parameters, sha256 {weights}"


def _settings(settings: dict[str, Any]) -> str:
    """A step's settings without the defaults; all of them, if they are those of another version."""
    stage = settings.get("stage", "")
    try:
        step: Any = TypeAdapter(AnyStep).validate_python(settings)
        settings = step.model_dump(mode="json", exclude_defaults=True, exclude_none=True, by_alias=True)
    except ValidationError:
        pass
    text = format_settings({key: value for key, value in settings.items() if key != "stage"})
    return f"{stage} {text}".strip()


def _data(output: OutputPath) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(output.task_manifest.read_text(encoding="utf-8"))
        splits = [
            f"{rows:,} {split} (sha256 {found['fingerprint'][split][:12]})" for split, rows in found["rows"].items()
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return
    yield "Data", f"{output.task}: {', '.join(splits)}"


def _inputs(record: Record | None) -> Iterator[tuple[str, str]]:
    reads = record.reads if record else []
    for number, read in enumerate(reads[:MOST_INPUTS]):
        yield "" if number else "Reads", read
    if len(reads) > MOST_INPUTS:
        yield "", f"and {len(reads) - MOST_INPUTS} more"
