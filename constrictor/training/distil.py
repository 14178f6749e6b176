"""Distil a student from teachers' cached logits, and from a live teacher's insides, on labelled and unlabelled text."""

from __future__ import annotations

from pathlib import Path

from constrictor.models.manifest import Manifest, read_manifest
from constrictor.study.steps.distil import Distil, StudentLayers
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.lessons import learn, lessons_of
from constrictor.training.node import Node, TaskFolder
from constrictor.training.tuning import Start, TrainableModel


def distil(
    settings: Distil, teacher: Path, student: Path, plan: TrainingPlan, task: TaskFolder, node: Node
) -> Manifest:
    """Train a student on a mixture of soft targets and labels, and save the epoch that is best on validation.

    Args:
        settings: the step.
        teacher: the teacher's artifact; opened only where its hidden states or attention are copied.
        student: where the student starts: the teacher's folder if it keeps layers of it, else a fetched checkpoint.
        plan: what is trained on.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if a model is damaged, the student does not fit the task, a lesson's files disagree, the
            teacher's insides cannot be copied, or the disk is full.
    """
    before = read_manifest(teacher)
    read_manifest(student)  # refuses one that is damaged
    layers = settings.student.layers if isinstance(settings.student, StudentLayers) else None
    trainable = TrainableModel(Start.of(student, task.manifest, node.seed, layers), settings)
    trained = learn(
        trainable.model,
        settings,
        tokenizer=task.tokenizer(student),
        lessons=lessons_of(plan),
        soft_targets=settings,
        start=student,
        task=task,
        node=node,
        epochs=settings.epochs,
        teacher=plan.teacher,
    )
    return trainable.save(before, settings, trained, node)
