"""Distil a student from a teacher's cached logits, on labelled and unlabelled text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from constrictor.artifacts.architecture import keep_layers
from constrictor.artifacts.manifest import Manifest, read_manifest
from constrictor.artifacts.torch_model import load_classifier
from constrictor.data.examples import read_examples
from constrictor.data.outputs import read_outputs
from constrictor.data.tokenization import Encoded, Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.study.steps.distil import Distil, SoftTargets, StudentLayers
from constrictor.training.engine import Loss, TrainingData, train
from constrictor.training.losses import distillation_loss
from constrictor.training.node import Node, TaskFolder


class Lesson(NamedTuple):
    """Texts to learn from: their examples, what the teacher says about them, and how often an epoch reads them."""

    examples: Path
    outputs: Path | None = None
    passes: int = 1

    @property
    def files(self) -> list[Path]:
        """The files that are read."""
        return [self.examples] if self.outputs is None else [self.examples, self.outputs]


def distil(
    settings: Distil, teacher: Path, student: Path, lessons: Sequence[Lesson], task: TaskFolder, node: Node
) -> Manifest:
    """Train a student on a mixture of soft targets and labels, and save the epoch that is best on validation.

    Args:
        settings: the step.
        teacher: the teacher's artifact.
        student: where the student starts: the teacher's folder if it keeps layers of it, else a fetched checkpoint.
        lessons: what to read.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the student does not fit the task, a lesson's files disagree, or the disk is full.
    """
    labelled = task.manifest
    model = load_classifier(student, labelled.labels, labelled.max_length, seed=node.seed)
    if isinstance(settings.student, StudentLayers):
        keep_layers(model, settings.student.layers)
    tokenizer = Tokenizer(student, labelled.max_length)
    inputs = [file for lesson in lessons for file in lesson.files]
    trained = train(
        model,
        lesson_data(lessons, tokenizer),
        soft_target_mixture(settings),
        task.validator(tokenizer, labelled.metric),
        settings,
        epochs=settings.epochs,
        seed=node.seed,
        metric=labelled.metric,
        checkpoints=node.checkpoints,
        identity=node.identity(settings, [student / "manifest.json", task.folder / "manifest.json", *inputs]),
    )
    manifest = read_manifest(teacher).descend(
        node.step, settings, labels=labelled.labels, max_length=labelled.max_length, seed=node.seed
    )
    return node.save(model, student, manifest, trained)


def soft_target_mixture(settings: SoftTargets) -> Loss:
    """The distillation loss with a step's alpha and temperature."""

    def loss(logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        return distillation_loss(
            logits, targets["labels"], targets["teacher_logits"], settings.alpha, settings.temperature
        )

    return loss


def lesson_data(lessons: Sequence[Lesson], tokenizer: Tokenizer) -> TrainingData:
    """All lessons as training rows, each as often as its passes say; with the teacher's logits if all have them.

    Raises:
        ConstrictorError: if a lesson's outputs were not made from its examples.
    """
    encoded: Encoded = []
    targets: dict[str, list[np.ndarray]] = {"labels": [], "teacher_logits": []}
    for lesson in lessons:
        examples = read_examples(lesson.examples)
        encoded += tokenizer.encode(examples.texts) * lesson.passes
        targets["labels"] += [examples.labels] * lesson.passes
        if lesson.outputs is None:
            continue
        outputs = read_outputs(lesson.outputs)
        if examples.ids != outputs.ids:
            raise ConstrictorError(
                f"{lesson.outputs} was not made from {lesson.examples}. Delete it and run snakemake again."
            )
        targets["teacher_logits"] += [outputs.logits] * lesson.passes
    joined = {name: np.concatenate(parts) for name, parts in targets.items() if parts}
    return TrainingData(encoded, tokenizer.pad_id, joined)
