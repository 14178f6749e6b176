"""The stage `prune`: damage a model by a method, let it recover, and keep what is best on validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from constrictor.compression.pruning.layers import prune_layers
from constrictor.compression.pruning.magnitude import prune_by_magnitude
from constrictor.compression.pruning.method import Method
from constrictor.compression.pruning.movement import prune_by_movement
from constrictor.compression.pruning.structured import prune_structured
from constrictor.compression.pruning.vocabulary import prune_vocabulary
from constrictor.compression.pruning.wanda import prune_by_wanda
from constrictor.compression.sample import Sample, draw_sample
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import TOKENIZER, Tokenizer
from constrictor.models.manifest import Manifest, read_manifest
from constrictor.models.torch_model import load_classifier
from constrictor.study.steps.prune import AnyPrune, Vocabulary
from constrictor.study.steps.recovery import Calibration
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.lessons import learn, lessons_of
from constrictor.training.node import Node, TaskFolder

METHODS: dict[str, Method] = {
    "magnitude": prune_by_magnitude,
    "structured": prune_structured,
    "layers": prune_layers,
    "vocabulary": prune_vocabulary,
    "movement": prune_by_movement,
    "wanda": prune_by_wanda,
}


def prune(
    settings: AnyPrune,
    parent: Path,
    calibration: Sequence[Path],
    plan: TrainingPlan | None,
    task: TaskFolder,
    node: Node,
) -> Manifest:
    """Prune an artifact and save what is best on validation: the pruned model as it is, or an epoch of its recovery.

    Args:
        settings: the step.
        parent: the artifact to prune.
        calibration: files of examples for a method that looks at some.
        plan: what the recovery is trained on; None where there is none.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the architecture is not known, a method cannot do what it is asked, or the disk is full.
    """
    labelled, before = task.manifest, read_manifest(parent)
    model = load_classifier(parent, labelled.labels, labelled.max_length, seed=node.seed)
    pruned = METHODS[settings.method](model, settings, _look_at(settings, calibration, parent, task))
    tokenizer = task.tokenizer(parent, pruned.tokenizer)
    trained = None
    if plan is not None:
        trained = learn(
            model,
            settings,
            tokenizer=tokenizer,
            lessons=lessons_of(plan),
            soft_targets=plan.soft_targets,
            start=parent,
            task=task,
            node=node,
            epochs=settings.finetune_epochs,
            competes_from=pruned.settled * settings.finetune_epochs,
            after_step=pruned.after_step,
            teacher=plan.teacher,
        )
    pruned.finish()
    details = {"pruned": pruned.details(), "recovered": bool(trained and trained.best_epoch > 0)}
    manifest = before.descend(node.step, settings, details=details)
    return node.save(model, parent, manifest, trained, tokenizer=pruned.tokenizer)


def _look_at(settings: AnyPrune, files: Sequence[Path], parent: Path, task: TaskFolder) -> Sample | None:
    """What the method looks at before it decides: a few examples, or all texts for a vocabulary."""
    if isinstance(settings, Vocabulary):
        # Nothing is cut off: a token behind the longest input may come earlier in another text.
        tokenizer = Tokenizer(parent, max_length=1_000_000)
        parts = [read_examples(file) for file in files]
        encoded = [tokens for part in parts for tokens in tokenizer.encode(part.texts)]
        labels = np.concatenate([part.labels for part in parts])
        return Sample(encoded, labels, tokenizer.pad_id, (parent / TOKENIZER).read_text(encoding="utf-8"))
    if isinstance(settings, Calibration):
        return draw_sample(settings, files[0], task.tokenizer(parent))
    return None
