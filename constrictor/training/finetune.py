"""Fine-tune a classifier on a task's labels."""

from __future__ import annotations

from pathlib import Path

from constrictor.models.manifest import Manifest, read_manifest
from constrictor.study.steps.finetune import Finetune
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.lessons import learn, lessons_of
from constrictor.training.node import Node, TaskFolder
from constrictor.training.tuning import Start, TrainableModel


def finetune(settings: Finetune, start: Path, plan: TrainingPlan, task: TaskFolder, node: Node) -> Manifest:
    """Train with cross-entropy and save the epoch that is best on validation.

    Args:
        settings: the step.
        start: folder of the model to start from: a fetched checkpoint or a parent's artifact.
        plan: what is trained on.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the model does not fit the task, an adapter does not fit the model, or the disk is full.
    """
    before = read_manifest(start)
    trainable = TrainableModel(Start.of(start, task.manifest, node.seed, settings.layers, settings.new_head), settings)
    trained = learn(
        trainable.model,
        settings,
        tokenizer=task.tokenizer(start),
        lessons=lessons_of(plan),
        soft_targets=None,
        start=start,
        task=task,
        node=node,
        epochs=settings.epochs,
    )
    return trainable.save(before, settings, trained, node)
