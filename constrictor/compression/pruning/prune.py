"""The stage `prune`: prune a model by a method, fine-tune it, and keep what is best on validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
from constrictor.models.torch_model import load_model
from constrictor.study.steps.prune import AnyPrune, Vocabulary
from constrictor.study.steps.recovery import Calibration
from constrictor.study.training_plan import TrainingPlan
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
        calibration: files of examples, for a method that calibrates on some.
        plan: what the recovery fine-tuning reads; None where there is none.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the architecture is not known, a method does not support its settings, or the disk is full.
    """
    before = read_manifest(parent)
    model = load_model(parent, task.kind.head, task.manifest.task.max_length, seed=node.seed)
    pruned = METHODS[settings.method](model, settings, _sample(settings, calibration, parent, task))
    trained = None
    if settings.finetune_epochs:
        # Here, for the Trainer of transformers takes seconds to import, more than most prunings take.
        from constrictor.training.run import Training

        assert plan is not None, "the rule hands a plan to every step that trains"
        training = Training(
            model,
            parent,
            task.kind.tokenizer(parent, pruned.tokenizer),
            settings,
            settings.finetune_epochs,
            plan,
            competes_from=pruned.settled * settings.finetune_epochs,
            after_step=pruned.after_step,
        )
        trained = training.run(task, node)
    pruned.finish()
    details = {"pruned": pruned.details(), "recovered": bool(trained and trained.best_epoch > 0)}
    manifest = before.descend(node.step, settings, details=details)
    return node.save(model, parent, manifest, trained, task.validation, tokenizer=pruned.tokenizer)


def _sample(settings: AnyPrune, files: Sequence[Path], parent: Path, task: TaskFolder) -> Sample | None:
    """What the method observes: a few examples, or all inputs for a vocabulary."""
    if isinstance(settings, Vocabulary):
        # Nothing is truncated: a token behind the longest input may come earlier in another text.
        tokenizer = Tokenizer(parent, max_length=1_000_000)
        encoded = [tokens for file in files for tokens in tokenizer.encode(read_examples(file).texts)]
        content = (parent / TOKENIZER).read_text(encoding="utf-8")
        return Sample(task.kind, encoded, {}, False, tokenizer.pad_id, content)
    if isinstance(settings, Calibration):
        return draw_sample(settings, files[0], task.kind.tokenizer(parent), task.kind)
    return None
