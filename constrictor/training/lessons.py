"""What a training reads, and the one call of the engine that every stage with gradients makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from constrictor.artifacts.torch_model import load_classifier
from constrictor.data.examples import read_examples
from constrictor.data.outputs import read_outputs
from constrictor.data.tokenization import Encoded, Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.step import Optimisation
from constrictor.training.device import use_bf16
from constrictor.training.engine import Loss, Trained, TrainingData, train
from constrictor.training.losses import LOGIT_LOSSES, distillation_loss, label_loss
from constrictor.training.matching import matching
from constrictor.training.node import Node, TaskFolder
from constrictor.training.schedules import value_at


class Lesson(NamedTuple):
    """Texts to learn from: their examples, what the teachers say about them, and how often an epoch reads them."""

    examples: Path
    outputs: Path | None = None
    passes: int = 1
    co_outputs: tuple[Path, ...] = ()  # of the teachers beside the first

    @property
    def answers(self) -> list[Path]:
        """What each teacher says; none where labels teach alone."""
        return [] if self.outputs is None else [self.outputs, *self.co_outputs]

    @property
    def files(self) -> list[Path]:
        """The files that are read."""
        return [self.examples, *self.answers]


def learn(
    model: PreTrainedModel,
    settings: Optimisation,
    tokenizer: Tokenizer,
    lessons: Sequence[Lesson],
    soft_targets: SoftTargets | None,
    start: Path,
    task: TaskFolder,
    node: Node,
    *,
    epochs: int,
    competes_from: float = 1e-9,
    after_step: Callable[[float], None] | None = None,
    teacher: Path | None = None,
) -> Trained:
    """Train a model in place; it ends with the weights of the epoch that is best on validation.

    Args:
        model: the model.
        settings: the step.
        tokenizer: the model's tokenizer.
        lessons: what to read, with the teacher's logits if there is a teacher.
        soft_targets: how teacher and labels are mixed; None where labels teach alone.
        start: the artifact or checkpoint that the model was made of.
        task: the prepared task.
        node: where to work.
        epochs: passes over the lessons.
        competes_from: epoch from which on weights may be the best ones; 0 lets those before the training compete too.
        after_step: called after each optimiser step with the share of the training that is done.
        teacher: artifact of the teacher whose insides are copied; read only where ``soft_targets`` says so.

    Raises:
        ConstrictorError: if a lesson's files disagree, the teacher's insides cannot be copied, or the disk is full.
    """
    labelled = task.manifest
    live = teacher if soft_targets is not None and soft_targets.live else None
    inputs = [file for lesson in lessons for file in lesson.files] + ([live / "manifest.json"] if live else [])
    with _objective(model, settings, tokenizer, soft_targets, live, task, node) as loss:
        return train(
            model,
            lesson_data(lessons, tokenizer),
            loss,
            task.validator(tokenizer, labelled.metric),
            settings,
            epochs=epochs,
            seed=node.seed,
            metric=labelled.metric,
            checkpoints=node.checkpoints,
            identity=node.identity(settings, [start / "manifest.json", task.folder / "manifest.json", *inputs]),
            competes_from=competes_from,
            after_step=after_step,
        )


@contextmanager
def _objective(
    model: PreTrainedModel,
    settings: Optimisation,
    tokenizer: Tokenizer,
    soft_targets: SoftTargets | None,
    teacher: Path | None,
    task: TaskFolder,
    node: Node,
) -> Iterator[Loss]:
    """The loss of a training: of the logits, and of the insides where a teacher computes along."""
    of_logits = loss_of(soft_targets)
    if soft_targets is None or teacher is None:
        yield of_logits
        return
    labelled = task.manifest
    if not tokenizer.agrees_with(Tokenizer(teacher, labelled.max_length)):
        raise ConstrictorError(
            f"the student's tokenizer is not that of the teacher in {teacher}, so their tokens do not correspond. Leave "
            "'hidden' and 'attention' out (logits need no common tokenizer), or take a student with the teacher's tokenizer."
        )
    master = load_classifier(teacher, labelled.labels, labelled.max_length)
    with matching(soft_targets, model, master, bf16=use_bf16(settings.precision), seed=node.seed) as of_insides:
        yield lambda logits, batch: of_logits(logits, batch) + of_insides(batch)


def lesson_data(lessons: Sequence[Lesson], tokenizer: Tokenizer) -> TrainingData:
    """All lessons as training rows, each as often as its passes say; with the teacher's logits if all have them.

    Raises:
        ConstrictorError: if a lesson's outputs were not made from its examples.
    """
    encoded: Encoded = []
    targets: dict[str, list[np.ndarray]] = {"labels": [], "teacher_logits": []}
    for lesson in lessons:
        examples = read_examples(lesson.examples)
        encoded += tokenizer.encode(examples.texts) * lesson.passes
        targets["labels"] += [examples.labels] * lesson.passes
        if lesson.outputs is not None:
            targets["teacher_logits"] += [_mean_logits(lesson, examples.ids)] * lesson.passes
    joined = {name: np.concatenate(parts) for name, parts in targets.items() if parts}
    return TrainingData(encoded, tokenizer.pad_id, joined)


def _mean_logits(lesson: Lesson, ids: list[str]) -> np.ndarray:
    """Mean of the teachers' logits ``(examples, classes)``: the geometric mean of what they believe, up to a factor."""
    found = []
    for file in lesson.answers:
        outputs = read_outputs(file)
        if ids != outputs.ids:
            raise ConstrictorError(f"{file} was not made from {lesson.examples}. Delete it and run snakemake again.")
        found.append(outputs.logits)
    classes = [logits.shape[1] for logits in found]
    if len(set(classes)) > 1:
        raise ConstrictorError(
            f"the teachers of {lesson.examples} know different numbers of classes: {', '.join(map(str, classes))}. "
            "Take teachers of the same task."
        )
    return np.stack(found).mean(axis=0, dtype=np.float32)


def loss_of(soft_targets: SoftTargets | None) -> Loss:
    """The distillation loss with a step's alpha and temperature; that of the labels alone where there is no teacher."""
    if soft_targets is None:
        return lambda logits, batch: label_loss(logits, batch["labels"])
    alpha, temperature, logit_loss = soft_targets.alpha, soft_targets.temperature, LOGIT_LOSSES[soft_targets.loss]

    def loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        done = float(batch["done"])
        now = value_at(alpha, done), value_at(temperature, done)
        return distillation_loss(logits, batch["labels"], batch["teacher_logits"], *now, logit_loss)

    return loss
