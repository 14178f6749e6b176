"""Distil a student from teachers' cached outputs, and from an online teacher's intermediate representations."""

from __future__ import annotations

from pathlib import Path

from constrictor.models.manifest import Manifest, read_manifest
from constrictor.study.steps.distil import Distil
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.node import Node, TaskFolder
from constrictor.training.run import Training
from constrictor.training.tuning import Initialization, TrainableModel


def distil(
    settings: Distil, teacher: Path, student: Path, plan: TrainingPlan, task: TaskFolder, node: Node
) -> Manifest:
    """Train a student on soft targets and labels, and save the epoch that is best on validation.

    Args:
        settings: the step.
        teacher: the teacher's artifact, whose lineage the student continues.
        student: where the student starts: the teacher's folder if it keeps layers of it, else a fetched checkpoint.
        plan: the training sets with the teachers' outputs, and the online teacher if one is needed.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if a model is damaged, the student does not fit the task, files of the plan disagree, the
            teacher's intermediate representations do not correspond, or the disk is full.
    """
    before = read_manifest(teacher)
    read_manifest(student)  # refuses one that is damaged
    start = Initialization(student, task.kind, node.seed, settings.student.layers, settings.new_head, settings.labels)
    trainable = TrainableModel(start, settings)
    tokenizer, new_head = task.kind.tokenizer(student), trainable.head_is_new
    training = Training(trainable.model, student, tokenizer, settings, settings.epochs, plan, new_head)
    return trainable.save(before, settings, training.run(task, node), node, task.validation)
