"""Heads, kinds and models for tests, without a prepared task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from constrictor.models.head import Head
from constrictor.models.manifest import TaskRecord
from constrictor.models.torch_model import load_model
from constrictor.tasks.kind import Kind
from constrictor.tasks.registry import kind_of

LABELS = ["bad", "good"]


def task_record(labels: list[str] = LABELS, max_length: int = 32, kind: str = "classification") -> TaskRecord:
    """A task of the kind, whose longer inputs are truncated at the end."""
    return TaskRecord(kind=kind, labels=labels, max_length=max_length, options={"truncation": "head"})


def kind_with(labels: list[str] = LABELS, kind: str = "classification") -> Kind:
    """A kind, as a task with these labels has it."""
    return kind_of(task_record(labels, kind=kind))


def head_with(labels: list[str] = LABELS) -> Head:
    """The head of a classifier."""
    return kind_with(labels).head


def load_classifier(folder: Path, labels: list[str], max_length: int, **how: Any) -> PreTrainedModel:
    """Open a folder as a classifier."""
    return load_model(folder, head_with(labels), max_length, **how)
