"""What a training minimises: the loss of a kind of problem, and what is copied of a teacher's insides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel

from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import read_manifest
from constrictor.models.torch_model import load_classifier
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.step import Optimisation
from constrictor.training.device import arithmetic, this_device
from constrictor.training.feature_distillation import matching
from constrictor.training.losses import LABEL_LOSSES, LOGIT_LOSSES, distillation_loss, label_loss
from constrictor.training.node import Node, TaskFolder
from constrictor.training.schedules import value_at
from constrictor.training.trainer import Loss


def loss_of(kind: str, soft_targets: SoftTargets | None, weights: Tensor | None = None) -> Loss:
    """The loss of the logits: the mixture with what a teacher says, or that of the labels where there is no teacher.

    Args:
        kind: the kind of problem.
        soft_targets: how teacher and labels are mixed; None where labels teach alone.
        weights: ``(classes,)`` factors of the classes' label losses; None for ones.
    """
    of_labels = LABEL_LOSSES[kind] if weights is None else partial(label_loss, weights=weights)
    if soft_targets is None:
        return lambda logits, batch: of_labels(logits, batch["labels"])
    alpha, temperature = soft_targets.alpha, soft_targets.temperature
    of_teacher = LOGIT_LOSSES[kind][soft_targets.loss]

    def loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        done = float(batch["done"])
        now = value_at(alpha, done), value_at(temperature, done)
        return distillation_loss(logits, batch["labels"], batch["teacher_logits"], *now, of_teacher, of_labels)

    return loss


@contextmanager
def with_insides(
    of_logits: Loss,
    model: PreTrainedModel,
    settings: Optimisation,
    *,
    tokenizer: Tokenizer,
    soft_targets: SoftTargets | None,
    teacher: Path | None,
    task: TaskFolder,
    node: Node,
) -> Iterator[Loss]:
    """The loss of the logits, and beside it that of the insides where a teacher computes along.

    Args:
        of_logits: the loss of the logits.
        model: the student.
        settings: the step.
        tokenizer: the student's tokenizer.
        soft_targets: what is copied of the teacher.
        teacher: the teacher's artifact; None where only its logits are needed, and nothing of it is opened.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the two have different tokenizers, or their insides do not correspond.
    """
    if soft_targets is None or teacher is None:
        yield of_logits
        return
    labelled = task.manifest
    if not tokenizer.agrees_with(task.tokenizer(teacher)):
        raise ConstrictorError(
            f"the student's tokenizer is not that of the teacher in {teacher}, so their tokens do not correspond. Leave "
            "'hidden' and 'attention' out (logits need no common tokenizer), or take a student with the teacher's tokenizer."
        )
    read_manifest(teacher)  # refuses one that is damaged
    master = load_classifier(teacher, labelled.labels, labelled.max_length)
    with matching(
        soft_targets, model, master, bf16=arithmetic(settings.precision, this_device()).bf16, seed=node.seed
    ) as of_insides:
        yield lambda logits, batch: of_logits(logits, batch) + of_insides(batch)
