"""What a training minimises: the losses of the task's kind, and feature distillation where there is an online teacher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from constrictor.errors import ConstrictorError
from constrictor.models.manifest import read_manifest
from constrictor.models.torch_model import load_model
from constrictor.study.steps.distil import SoftTargets
from constrictor.tasks.kind import KindModel, Outputs
from constrictor.training.data import TEACHER
from constrictor.training.device import arithmetic, this_device
from constrictor.training.feature_distillation import matching
from constrictor.training.node import Node, TaskFolder
from constrictor.training.schedules import value_at
from constrictor.training.trainer import Loss

if TYPE_CHECKING:
    from constrictor.training.run import Training


def output_loss(
    losses: KindModel, soft_targets: SoftTargets | None, weights: Tensor | None = None, unit: float = 1.0
) -> Loss:
    """The loss of a model's outputs: that of the labels, or its weighted sum with that of a teacher's outputs.

    ``alpha * teacher + (1 - alpha) * labels``: the convention is that ``alpha`` weighs the *teacher*. An example without a
    label keeps the first term alone, unchanged in weight, so that unlabelled examples count no more than labelled ones.

    Args:
        losses: those of the task's kind.
        soft_targets: how teacher and labels are weighed; None for labels alone.
        weights: factors of the label losses.
        unit: what all losses are divided by.
    """
    if soft_targets is None:
        return lambda outputs, batch: losses.label_loss(outputs, batch, weights) / unit
    alpha, temperature = soft_targets.alpha, soft_targets.temperature
    of_teacher = losses.DISTILLATION_LOSSES[soft_targets.loss]

    def loss(outputs: Outputs, batch: Outputs) -> Tensor:
        done = float(batch["done"])
        share = value_at(alpha, done)
        teacher = {name.removeprefix(TEACHER): values for name, values in batch.items() if name.startswith(TEACHER)}
        distilled = of_teacher(outputs, teacher, batch, value_at(temperature, done))
        return (share * distilled + (1 - share) * losses.label_loss(outputs, batch, weights)) / unit

    return loss


@contextmanager
def with_features(
    of_outputs: Loss, training: Training, teacher: Path | None, task: TaskFolder, node: Node
) -> Iterator[Loss]:
    """The loss of the outputs, and beside it feature distillation from an online teacher.

    Args:
        of_outputs: the loss of the outputs.
        training: the training; its model is the student.
        teacher: the teacher's artifact; None where only its outputs are needed, and nothing of it is opened.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the two have different tokenizers, or their layers do not correspond.
    """
    settings = training.plan.soft_targets
    if settings is None or teacher is None:
        yield of_outputs
        return
    if not training.tokenizer.agrees_with(task.kind.tokenizer(teacher)):
        raise ConstrictorError(
            f"the student's tokenizer is not that of the teacher in {teacher}, so their tokens do not correspond. Leave "
            "'hidden' and 'attention' out (logits need no common tokenizer), or take a student with the teacher's tokenizer."
        )
    read_manifest(teacher)  # refuses one that is damaged
    online = load_model(teacher, task.kind.head, task.manifest.task.max_length)
    bf16 = arithmetic(training.settings.precision, this_device()).bf16
    with matching(settings, training.model, online, bf16=bf16, seed=node.seed) as of_features:
        yield lambda outputs, batch: of_outputs(outputs, batch) + of_features(batch)
