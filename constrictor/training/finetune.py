"""Fine-tune a classifier on a task's labels."""

from __future__ import annotations

from pathlib import Path

from constrictor.artifacts.manifest import Manifest, read_manifest
from constrictor.study.steps.finetune import Finetune
from constrictor.training.lessons import Lesson, learn
from constrictor.training.node import Node, TaskFolder
from constrictor.training.tuning import Start, Trainee


def finetune(settings: Finetune, start: Path, task: TaskFolder, node: Node) -> Manifest:
    """Train with cross-entropy and save the epoch that is best on validation.

    Args:
        settings: the step.
        start: folder of the model to start from: a fetched checkpoint or a parent's artifact.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the model does not fit the task, an adapter does not fit the model, or the disk is full.
    """
    parent, labelled = read_manifest(start), task.manifest
    trainee = Trainee(Start.of(start, labelled, node.seed, settings.layers, settings.new_head), settings)
    tokenizer = task.tokenizer(start)
    lessons = [Lesson(task.folder / "train.parquet")]
    trained = learn(trainee.model, settings, tokenizer, lessons, None, start, task, node, epochs=settings.epochs)
    manifest = parent.descend(
        node.step,
        settings,
        labels=labelled.labels,
        max_length=labelled.max_length,
        truncation=labelled.truncation,
        seed=node.seed,
    )
    model, kept = trainee.finish()
    return node.save(model, start, manifest, trained, kept=kept)
