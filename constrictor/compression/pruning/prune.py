"""The stage `prune`: damage a model by a method, let it recover, and keep what is best on validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from constrictor.artifacts.manifest import Manifest, read_manifest
from constrictor.artifacts.torch_model import load_classifier
from constrictor.compression.pruning.magnitude import prune_by_magnitude
from constrictor.compression.pruning.method import Method, Sample
from constrictor.data.calibration import draw_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.prune import AnyPrune
from constrictor.study.steps.recovery import Calibration
from constrictor.training.distil import Lesson
from constrictor.training.node import Node, TaskFolder
from constrictor.training.recovery import recover

METHODS: dict[str, Method] = {"magnitude": prune_by_magnitude}


def prune(
    settings: AnyPrune,
    parent: Path,
    calibration: Path | None,
    lessons: Sequence[Lesson],
    soft_targets: SoftTargets | None,
    task: TaskFolder,
    node: Node,
) -> Manifest:
    """Prune an artifact and save what is best on validation: the pruned model as it is, or an epoch of its recovery.

    Args:
        settings: the step.
        parent: the artifact to prune.
        calibration: examples for a method that looks at some.
        lessons: what the recovery reads, with the teacher's logits if there is a teacher.
        soft_targets: how teacher and labels are mixed; None where labels teach alone.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the architecture is not known, a method cannot do what it is asked, or the disk is full.
    """
    labelled, before = task.manifest, read_manifest(parent)
    model = load_classifier(parent, labelled.labels, labelled.max_length, seed=node.seed)
    tokenizer = Tokenizer(parent, labelled.max_length)
    sample = draw_sample(settings, calibration, tokenizer) if isinstance(settings, Calibration) else None
    pruned = METHODS[settings.method](model, settings, sample)
    trained = None
    if settings.finetune_epochs:
        trained = recover(
            model,
            settings,
            parent,
            tokenizer,
            lessons,
            soft_targets,
            task,
            node,
            settled=pruned.settled,
            after_step=pruned.after_step,
        )
    pruned.finish()
    details = {"pruned": pruned.details(), "recovered": bool(trained and trained.best_epoch > 0)}
    return node.save(model, pruned.tokenizer or parent, before.descend(node.step, settings, details=details), trained)


def draw_sample(settings: Calibration, file: Path | None, tokenizer: Tokenizer) -> Sample:
    """The calibration examples of a step as a method looks at them.

    Raises:
        ConstrictorError: if there are fewer examples than the step wants to look at.
    """
    chosen = draw_examples(settings, file)
    return Sample(tokenizer.encode(chosen.texts), chosen.labels, tokenizer.pad_id)
