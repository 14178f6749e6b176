"""The stage `prune`: zero weights by a method's masks and let the others recover while the zeros stay."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from constrictor.artifacts.manifest import Manifest, read_manifest
from constrictor.artifacts.torch_model import encoder_linears, load_classifier
from constrictor.compression.pruning.magnitude import magnitude_masks
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.prune import Prune
from constrictor.training.distil import Lesson, lesson_data, soft_target_mixture
from constrictor.training.engine import Loss, TrainingData, train
from constrictor.training.losses import label_loss
from constrictor.training.node import Node, TaskFolder

METHODS = {"magnitude": magnitude_masks}


def prune(
    settings: Prune,
    parent: Path,
    lessons: Sequence[Lesson],
    soft_targets: SoftTargets | None,
    task: TaskFolder,
    node: Node,
) -> Manifest:
    """Prune an artifact and save what is best on validation: the pruned model as it is, or an epoch of its recovery.

    Args:
        settings: the step.
        parent: the artifact to prune.
        lessons: the recipe's teacher on the training examples; empty where the recipe was not distilled.
        soft_targets: how the recipe's distillation mixed teacher and labels, where it was distilled.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the architecture is not known, or the disk is full.
    """
    labelled, before = task.manifest, read_manifest(parent)
    model = load_classifier(parent, labelled.labels, labelled.max_length, seed=node.seed)
    linears = encoder_linears(model)
    weights = {name: module.weight.detach() for name, module in linears.items()}
    masks = METHODS[settings.method](weights, settings.sparsity, settings.scope)
    apply_masks(linears, masks)
    trained = None
    if settings.finetune_epochs:
        tokenizer = Tokenizer(parent, labelled.max_length)
        data, loss = _recovery(lessons, soft_targets, tokenizer, task)
        inputs = [file for lesson in lessons for file in (lesson.examples, lesson.outputs)]
        trained = train(
            model,
            data,
            loss,
            task.validator(tokenizer, labelled.metric),
            settings,
            epochs=settings.finetune_epochs,
            seed=node.seed,
            metric=labelled.metric,
            checkpoints=node.checkpoints,
            identity=node.identity(settings, [parent / "manifest.json", task.folder / "manifest.json", *inputs]),
            initial_competes=True,
            after_step=partial(apply_masks, linears, masks),
        )
    details = {"pruned": sparsity_of(linears), "recovered": bool(trained and trained.best_epoch > 0)}
    return node.save(model, parent, before.descend(node.step, settings, details=details), trained)


def _recovery(
    lessons: Sequence[Lesson], soft_targets: SoftTargets | None, tokenizer: Tokenizer, task: TaskFolder
) -> tuple[TrainingData, Loss]:
    if soft_targets is not None:
        return lesson_data(lessons, tokenizer), soft_target_mixture(soft_targets)
    examples = read_examples(task.folder / "train.parquet")
    data = TrainingData(tokenizer.encode(examples.texts), tokenizer.pad_id, {"labels": examples.labels})
    return data, lambda logits, targets: label_loss(logits, targets["labels"])


@torch.no_grad()
def apply_masks(linears: dict[str, nn.Linear], masks: dict[str, Tensor]) -> None:
    """Set the weights to zero, in place, where the masks say so."""
    for name, module in linears.items():
        module.weight.mul_(masks[name].to(module.weight.device))


def sparsity_of(linears: dict[str, nn.Linear]) -> dict[str, float | int]:
    """Number of weights that pruning works on, and the share of them that is zero."""
    total = sum(module.weight.numel() for module in linears.values())
    zero = sum(int((module.weight == 0).sum()) for module in linears.values())
    return {"weights": total, "sparsity": round(zero / total, 6)}
