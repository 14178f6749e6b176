"""Heads, kinds and models for tests, without a prepared task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from constrictor.compression.sample import Sample
from constrictor.data.batching import Arrays, Text
from constrictor.evaluation.evaluate import evaluate
from constrictor.models.head import Head
from constrictor.models.manifest import TaskRecord
from constrictor.models.torch_model import load_model
from constrictor.runtimes.runtime import Runtime
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.training_plan import TrainingPlan, TrainingSet
from constrictor.tasks.kind import Kind
from constrictor.tasks.registry import kind_of
from constrictor.training.node import TaskFolder

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


def logits_of(runtime: Runtime, inputs: Sequence[Text], batch_size: int = 64) -> np.ndarray:
    """A loaded classifier's logits ``(inputs, classes)``, in the order given."""
    features = runtime.kind.encode(runtime.tokenizer, inputs)
    return np.asarray(runtime.outputs_of(features, batch_size)["logits"])


def logits(found: Arrays) -> np.ndarray:
    """The logits among the outputs for a batch."""
    return found["logits"]


def training_set(examples: Path, *outputs: Path, repeats: int = 1) -> TrainingSet:
    """Examples with the outputs of teachers for them."""
    return TrainingSet(examples=examples, outputs=list(outputs), repeats=repeats)


def plan_of(*sets: TrainingSet, soft_targets: SoftTargets | None = None, teacher: Path | None = None) -> TrainingPlan:
    """A training's plan."""
    return TrainingPlan(sets=list(sets), soft_targets=soft_targets, teacher=teacher)


def task_in(folder: Path) -> TaskFolder:
    """A prepared task, with its validation examples beside the manifest."""
    return TaskFolder(folder / "manifest.json", folder / "validation.parquet")


def train_plan(task: TaskFolder) -> TrainingPlan:
    """The plan of a fine-tuning on a task's training split."""
    return plan_of(training_set(task.file.with_name("train.parquet")))


def sample_of(encoded: list[np.ndarray], labels: np.ndarray, pad_id: int, tokenizer: str = "") -> Sample:
    """Calibration examples of a classifier, with their labels."""
    return Sample(kind_with(), encoded, {"labels": labels}, True, pad_id, tokenizer)


def evaluate_on(artifact: Path, task: Path, metrics: Path, predictions: Path, **further: Path) -> None:
    """Evaluate an artifact on the held-out splits of a prepared task, and on extra test sets."""
    splits = {name: task / f"{name}.parquet" for name in ("validation", "test")}
    evaluate(artifact, task / "manifest.json", splits, metrics, predictions, extra_test_sets=further)


def scores_of(kind: Kind, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """All metrics of some logits, and the mean loss."""
    loss = kind.losses({"logits": logits}, {"labels": labels}).mean()
    return {**kind.scores(labels, kind.predict({"logits": logits})), "loss": float(loss)}
