"""Fine-tune a classifier on a task's labels."""

from __future__ import annotations

from pathlib import Path

from constrictor.artifacts.architecture import keep_layers
from constrictor.artifacts.manifest import Manifest, read_manifest
from constrictor.artifacts.torch_model import load_classifier
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.study.steps.finetune import Finetune
from constrictor.training.engine import TrainingData, train
from constrictor.training.losses import label_loss
from constrictor.training.node import Node, TaskFolder


def finetune(settings: Finetune, start: Path, task: TaskFolder, node: Node) -> Manifest:
    """Train all weights with cross-entropy and save the epoch that is best on validation.

    Args:
        settings: the step.
        start: folder of the model to start from: a fetched checkpoint or a parent's artifact.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the model does not fit the task, or the disk is full.
    """
    parent, labelled = read_manifest(start), task.manifest
    model = load_classifier(start, labelled.labels, labelled.max_length, seed=node.seed, new_head=settings.new_head)
    if settings.layers:
        keep_layers(model, settings.layers)
    tokenizer = Tokenizer(start, labelled.max_length)
    examples = read_examples(task.folder / "train.parquet")
    trained = train(
        model,
        TrainingData(tokenizer.encode(examples.texts), tokenizer.pad_id, {"labels": examples.labels}),
        lambda logits, targets: label_loss(logits, targets["labels"]),
        task.validator(tokenizer, labelled.metric),
        settings,
        epochs=settings.epochs,
        seed=node.seed,
        metric=labelled.metric,
        checkpoints=node.checkpoints,
        identity=node.identity(settings, [start / "manifest.json", task.folder / "manifest.json"]),
    )
    manifest = parent.descend(
        node.step, settings, labels=labelled.labels, max_length=labelled.max_length, seed=node.seed
    )
    return node.save(model, start, manifest, trained)
