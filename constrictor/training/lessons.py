"""What a training reads, and the one call of the engine that every stage with gradients makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedModel

from constrictor.data.batching import Encoded, ids_of
from constrictor.data.examples import UNLABELLED, read_examples
from constrictor.data.outputs import read_outputs
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.step import Optimisation
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.class_weights import weights_of_classes
from constrictor.training.engine import TRAINED_ONLY, Trained, TrainingData, train
from constrictor.training.node import Node, TaskFolder
from constrictor.training.objective import loss_of, with_insides


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


def lessons_of(plan: TrainingPlan) -> list[Lesson]:
    """The training sets of a plan."""
    return [
        Lesson(part.examples, part.outputs[0] if part.outputs else None, part.repeats, tuple(part.outputs[1:]))
        for part in plan.sets
    ]


def learn(
    model: PreTrainedModel,
    settings: Optimisation,
    *,
    tokenizer: Tokenizer,
    lessons: Sequence[Lesson],
    soft_targets: SoftTargets | None,
    start: Path,
    task: TaskFolder,
    node: Node,
    epochs: int,
    competes_from: float = TRAINED_ONLY,
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
        ConstrictorError: if a lesson's files disagree, a weighted class is none of the task's, the teacher's insides
            cannot be copied, or the disk is full.
    """
    labelled = task.manifest
    live = teacher if soft_targets is not None and soft_targets.live else None
    inputs = [file for lesson in lessons for file in lesson.files] + ([live / "manifest.json"] if live else [])
    data = lesson_data(lessons, tokenizer, task.no_label)
    _refuse_unknown_tokens(model, tokenizer, data.encoded, start)
    if settings.class_weights is not None and labelled.kind != "classification":
        raise ConstrictorError(
            f"'class_weights' are for tasks of one class a text, and this one is '{labelled.kind}'. Leave the key out."
        )
    weights = weights_of_classes(settings.class_weights, data.targets["labels"], labelled.labels)
    of_logits = loss_of(labelled.kind, soft_targets, weights)
    with with_insides(
        of_logits, model, settings, tokenizer=tokenizer, soft_targets=soft_targets, teacher=live, task=task, node=node
    ) as loss:
        return train(
            model,
            data,
            loss,
            task.validator(tokenizer, labelled.metric),
            settings,
            epochs=epochs,
            seed=node.seed,
            metric=labelled.metric,
            checkpoints=node.checkpoints,
            identity=node.identity(settings, [start / "manifest.json", task.file, *inputs]),
            competes_from=competes_from,
            after_step=after_step,
        )


def _refuse_unknown_tokens(model: PreTrainedModel, tokenizer: Tokenizer, encoded: Encoded, start: Path) -> None:
    """Refuse tokens that the model has no embedding for. Those that no text holds may be beyond its table."""
    rows = int(model.config.vocab_size)
    if tokenizer.size > rows and (highest := max(int(ids_of(tokens).max()) for tokens in encoded)) >= rows:
        raise ConstrictorError(
            f"the tokenizer in {start} knows {tokenizer.size} tokens and the model has embeddings for {rows}; the texts hold "
            f"token {highest}. Put the model's own tokenizer beside its weights."
        )


def lesson_data(lessons: Sequence[Lesson], tokenizer: Tokenizer, no_label: np.ndarray) -> TrainingData:
    """All lessons as training rows, each as often as its passes say; with the teacher's logits if all have them.

    Args:
        lessons: what to read.
        tokenizer: the model's tokenizer.
        no_label: what stands for the label of an example that has none, of the shape that the task's labels have.

    Raises:
        ConstrictorError: if a lesson's outputs were not made from its examples.
    """
    encoded: Encoded = []
    targets: dict[str, list[np.ndarray]] = {"labels": [], "teacher_logits": []}
    for lesson in lessons:
        examples = read_examples(lesson.examples)
        encoded += tokenizer.encode(examples.texts) * lesson.passes
        targets["labels"] += [_filled(examples.labels, no_label)] * lesson.passes
        if lesson.outputs is not None:
            targets["teacher_logits"] += [_mean_logits(lesson, examples.ids)] * lesson.passes
    joined = {name: np.concatenate(parts) for name, parts in targets.items() if parts}
    return TrainingData(encoded, tokenizer.pad_id, joined)


def _filled(labels: np.ndarray, no_label: np.ndarray) -> np.ndarray:
    """Labels as the task has them, also of a corpus, which has none and does not know the task."""
    if labels.dtype.kind == "i" and (labels == UNLABELLED).all():
        return np.broadcast_to(no_label, (len(labels), *no_label.shape))
    return labels


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
