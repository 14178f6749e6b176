"""Where a file came from: its family tree with settings, code, data, machine, versions, and how to make it again."""

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
from constrictor.progress import spell_seconds
from constrictor.scheduling.formatting import spell_settings
from constrictor.scheduling.output_paths import Place, command_for, nearest_file, place_of
from constrictor.scheduling.snakemake_records import Record, record_of
from constrictor.study.lineage import ancestry
from constrictor.study.study import AnyStep

MOST_INPUTS = 8


def explain(file: Path) -> str:
    """All that is known of how an output of a study came to be, as text.

    Args:
        file: the output, relative to the folder that the workflow runs in.

    Raises:
        ConstrictorError: if there is no such file, or no study made it.
    """
    if not file.is_file():
        raise ConstrictorError(f"there is no file {file}. {nearest_file(file)}")
    place = place_of(file)
    if place is None:
        raise ConstrictorError(f"{file} is no output of a study: those lie in data/, results/ and reports/.")
    declared = file.with_name(MANIFEST) if file.parent.name == "model" else file  # of a model, the manifest is declared
    record, model = record_of(str(declared)), _manifest(place.node / "model" / MANIFEST)
    if record is None and model is None:
        raise ConstrictorError(
            f"Snakemake has no record of {file}, and no model lies beside it: nothing is known of how it was made. "
            f"To make it anew: {command_for(place, declared)}"
        )
    lines = [("Made", _made(record)), ("Machine", _machine(record)), *_about(model), *_family(place, model)]
    lines += [*_data(place), *_inputs(record), ("Again", command_for(place, declared))]
    lines += [("By hand", record.command)] if record else []
    return "\n".join([str(file), *(f"  {title:<9} {text}" for title, text in lines)])


def _manifest(file: Path) -> Manifest | None:
    """What a manifest says; None if it is not there any more, or damaged."""
    try:
        return Manifest.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _made(record: Record | None) -> str:
    if record is None:
        return "unknown: Snakemake has no record of it (a copied folder leaves .snakemake behind)"
    when, took = "", ""
    if record.started is not None and record.ended is not None:
        when = f" on {datetime.fromtimestamp(record.started):%Y-%m-%d %H:%M}"
        took = f" in {spell_seconds(max(0.0, record.ended - record.started))}"
    return f"by {record.rule}{when}{took}" + (f", code {record.code}" if record.code else "")


def _machine(record: Record | None) -> str:
    """What the job's log says that it ran on."""
    for log in record.logs if record else []:
        try:
            found = re.search(MACHINE_LINE, Path(log).read_text(encoding="utf-8"))
        except OSError:
            continue
        if found:
            return found[1]
    return "unknown: its log is lost, or does not say"


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


def _family(place: Place, model: Manifest | None) -> Iterator[tuple[str, str]]:
    """A line a checkpoint that training started from, and a line a step."""
    if model is None:
        return
    title = "Family"
    for lineage, step in zip(ancestry(place.lineage), model.lineage, strict=False):
        record = record_of(str(place._replace(lineage=lineage).node / "model" / MANIFEST))
        for read in record.reads if record else []:
            if f"data/{place.study}/models/" in read:
                yield title, _checkpoint(Path(read))
                title = ""
        code = f" [code {record.code}]" if record and record.code else ""
        yield title, f"{lineage}: {_settings(step.settings)}{code}"
        title = ""


def _checkpoint(manifest: Path) -> str:
    found = _manifest(manifest)
    if found is None:
        return f"{manifest.parent.name}: a checkpoint that is not there any more"
    weights = next((entry.sha256[:12] for name, entry in found.files.items() if name.endswith(".safetensors")), "")
    source = spell_settings(found.details.get("source", {}))
    return f"{manifest.parent.name}: {source}, {found.parameters / 1e6:.1f} M parameters, sha256 {weights}"


def _settings(settings: dict[str, Any]) -> str:
    """A step's settings, without those that are the defaults; all, if they are those of another version."""
    stage = settings.get("stage", "")
    try:
        step: Any = TypeAdapter(AnyStep).validate_python(settings)
        settings = step.model_dump(mode="json", exclude_defaults=True, exclude_none=True, by_alias=True)
    except ValidationError:
        pass
    said = spell_settings({key: value for key, value in settings.items() if key != "stage"})
    return f"{stage} {said}".strip()


def _data(place: Place) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(place.task_manifest.read_text(encoding="utf-8"))
        splits = [
            f"{rows:,} {split} (sha256 {found['fingerprint'][split][:12]})" for split, rows in found["rows"].items()
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return
    yield "Data", f"{place.task}: {', '.join(splits)}"


def _inputs(record: Record | None) -> Iterator[tuple[str, str]]:
    reads = record.reads if record else []
    for number, read in enumerate(reads[:MOST_INPUTS]):
        yield "" if number else "Reads", read
    if len(reads) > MOST_INPUTS:
        yield "", f"and {len(reads) - MOST_INPUTS} more"
