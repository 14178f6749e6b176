"""What a model cost to train, and what it gives for that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from constrictor.files.reading import read_parsed
from constrictor.study.lineage import ancestry


class Training(NamedTuple):
    """The last training of a lineage, the mean over replicates.

    Attributes:
        step: the lineage that was trained.
        trainable_parameters: weights that the training changed.
        seconds: its own duration.
        peak_memory_bytes: of the process that trained.
        energy_joules: of the machine's processors and first GPU meanwhile; None where the machine does not measure it.
    """

    step: str
    trainable_parameters: int
    seconds: float
    peak_memory_bytes: float
    energy_joules: float | None


def last_training(lineage: str, replicates: Sequence[Path]) -> Training | None:
    """The training that a model's weights come from; None where nothing on the way to it was trained.

    Args:
        lineage: the model's.
        replicates: ``results/<study>/<task>/<replicate>`` of each repetition.
    """
    for node in reversed(ancestry(lineage)):
        records = [record for root in replicates if "trainable_parameters" in (record := _record(root / node))]
        if not records:
            continue
        joules = [record["energy_joules"] for record in records if "energy_joules" in record]
        return Training(
            node,
            int(records[0]["trainable_parameters"]),
            float(np.mean([record["seconds"] for record in records])),
            float(np.mean([record["peak_memory_bytes"] for record in records])),
            float(np.mean(joules)) if joules else None,
        )
    return None


def training_seconds(lineage: str, replicates: Sequence[Path]) -> float:
    """Seconds of all the training that led to a model, the mean over replicates.

    Args:
        lineage: the model's.
        replicates: ``results/<study>/<task>/<replicate>`` of each repetition.
    """
    totals = [sum(_record(root / node).get("seconds", 0.0) for node in ancestry(lineage)) for root in replicates]
    return float(np.mean(totals))


def _record(node: Path) -> dict[str, Any]:
    """The content of a node's ``training.json``; nothing where the step has none."""
    file = node / "training.json"
    return read_parsed(file, json.loads) if file.is_file() else {}


def per_million_parameters(metric: float, parameters: int) -> float:
    """Points of the metric for a million parameters: ``100 m / (p / 10^6)``.

    >>> per_million_parameters(0.9, 45_000_000)
    2.0
    """
    return 100 * metric / (parameters / 1e6)


def per_training_minute(metric: float, seconds: float) -> float:
    """Points of the metric for a minute of all the training that led to a model: ``100 m / (s / 60)``.

    >>> per_training_minute(0.9, 180)
    30.0
    """
    return 100 * metric / (seconds / 60)
