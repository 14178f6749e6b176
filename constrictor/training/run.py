"""The one call of the engine that every stage with gradients makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from constrictor.data.tokenization import Tokenizer
from constrictor.study.steps.step import Optimisation
from constrictor.study.training_plan import TrainingPlan
from constrictor.tasks.registry import model_of
from constrictor.training.data import training_data
from constrictor.training.engine import TRAINED_ONLY, Trained, train
from constrictor.training.node import Node, TaskFolder
from constrictor.training.objective import output_loss, with_features


@dataclass(frozen=True)
class Training:
    """A training as a stage describes it.

    Attributes:
        model: the model; it is trained in place.
        start: folder of the artifact or checkpoint that the model was made of.
        tokenizer: the model's tokenizer.
        settings: the step.
        epochs: passes over the training sets.
        plan: the training sets, and what is learned from a teacher.
        new_head: whether the head has not been trained yet.
        competes_from: epoch from which on weights may be the best ones; 0 lets those before the training compete too.
        after_step: called after each optimiser step with the share of the training that is done.
    """

    model: PreTrainedModel
    start: Path
    tokenizer: Tokenizer
    settings: Optimisation
    epochs: int
    plan: TrainingPlan
    new_head: bool = False
    competes_from: float = TRAINED_ONLY
    after_step: Callable[[float], None] | None = None

    def run(self, task: TaskFolder, node: Node) -> Trained:
        """Train; the model ends with the weights of the epoch that is best on validation.

        Args:
            task: the prepared task.
            node: where to work.

        Raises:
            ConstrictorError: if files of the plan disagree, a weighted class is none of the task's, the teacher's
                intermediate representations do not correspond, or the disk is full.
        """
        record, plan, settings = task.manifest.task, self.plan, self.settings
        teacher = plan.teacher if plan.soft_targets is not None and plan.soft_targets.needs_online_teacher else None
        inputs = plan.files + ([teacher / "manifest.json"] if teacher else [])
        data = training_data(plan, self.tokenizer, task.kind)
        losses = model_of(record)
        weights = losses.loss_weights(settings.class_weights, data.targets, record)
        with (
            losses.standardised(self.model, data.targets, new_head=self.new_head) as unit,
            with_features(output_loss(losses, plan.soft_targets, weights, unit), self, teacher, task, node) as loss,
        ):
            return train(
                self.model,
                data,
                loss,
                task.validator(self.tokenizer),
                settings,
                head=task.kind.head,
                epochs=self.epochs,
                seed=node.seed,
                metric=task.manifest.metric,
                checkpoints=node.checkpoints,
                identity=node.identity(settings, [self.start / "manifest.json", task.file, *inputs]),
                competes_from=self.competes_from,
                after_step=self.after_step,
            )
