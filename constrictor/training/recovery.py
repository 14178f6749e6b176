"""Train a model that was damaged on purpose, by pruning or by rounding, until it has recovered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from transformers import PreTrainedModel

from constrictor.data.tokenization import Tokenizer
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.recovery import Recovery
from constrictor.training.distil import Lesson, lesson_data, soft_target_mixture
from constrictor.training.engine import Loss, Trained, train
from constrictor.training.losses import label_loss
from constrictor.training.node import Node, TaskFolder


def recover(
    model: PreTrainedModel,
    settings: Recovery,
    parent: Path,
    tokenizer: Tokenizer,
    lessons: Sequence[Lesson],
    soft_targets: SoftTargets | None,
    task: TaskFolder,
    node: Node,
    *,
    settled: float = 0.0,
    after_step: Callable[[float], None] | None = None,
) -> Trained:
    """Train a model in place; it ends with the weights that are best on validation, those before the training included.

    Args:
        model: the damaged model.
        settings: the step.
        parent: the artifact that the model was made of.
        tokenizer: the tokenizer of the damaged model.
        lessons: what to read, with the teacher's logits if there is a teacher.
        soft_targets: how teacher and labels are mixed; None where labels teach alone.
        task: the prepared task.
        node: where to work.
        settled: share of the training after which the damage is complete; earlier weights do not compete.
        after_step: called after each optimiser step with the share of the training that is done.

    Raises:
        ConstrictorError: if a lesson's files disagree, or the disk is full.
    """
    labelled = task.manifest
    inputs = [file for lesson in lessons for file in lesson.files]
    return train(
        model,
        lesson_data(lessons, tokenizer),
        _loss(soft_targets),
        task.validator(tokenizer, labelled.metric),
        settings,
        epochs=settings.finetune_epochs,
        seed=node.seed,
        metric=labelled.metric,
        checkpoints=node.checkpoints,
        identity=node.identity(settings, [parent / "manifest.json", task.folder / "manifest.json", *inputs]),
        competes_from=settled * settings.finetune_epochs,
        after_step=after_step,
    )


def _loss(soft_targets: SoftTargets | None) -> Loss:
    if soft_targets is not None:
        return soft_target_mixture(soft_targets)
    return lambda logits, targets: label_loss(logits, targets["labels"])
