"""Fine-tune a model on a task's labels."""

from __future__ import annotations

from pathlib import Path

from constrictor.models.manifest import Manifest, read_manifest
from constrictor.study.steps.finetune import Finetune
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.node import Node, TaskFolder
from constrictor.training.run import Training
from constrictor.training.tuning import Initialization, TrainableModel


def finetune(settings: Finetune, start: Path, plan: TrainingPlan, task: TaskFolder, node: Node) -> Manifest:
    """Train on the labels and save the epoch that is best on validation.

    Args:
        settings: the step.
        start: folder of the model to start from: a fetched checkpoint or a parent's artifact.
        plan: the training sets.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the model does not fit the task, an adapter does not fit the model, or the disk is full.
    """
    before = read_manifest(start)
    trainable = TrainableModel(
        Initialization(start, task.kind, node.seed, settings.layers, settings.new_head, settings.labels), settings
    )
    tokenizer, new_head = task.kind.tokenizer(start), trainable.head_is_new
    training = Training(trainable.model, start, tokenizer, settings, settings.epochs, plan, new_head)
    return trainable.save(before, settings, training.run(task, node), node, task.validation)
