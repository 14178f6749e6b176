"""The training engine that every stage with gradients uses: the ecosystem's trainer, fed well and made resumable.

What it adds to `transformers.Trainer`: batches of one length (:mod:`constrictor.training.batches`), bf16 where the
hardware has it, validation after each epoch with the best weights kept, checkpoints by the clock, resumption from the
newest whole checkpoint, smaller passes where memory does not suffice, and progress lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel, PrinterCallback, TrainerCallback

from constrictor.errors import ConstrictorError
from constrictor.files.exclusive_lock import exclusive_lock
from constrictor.files.writing import empty_folder, named_disk_errors, write_text
from constrictor.models.head import Head
from constrictor.progress import log
from constrictor.study.settings import canonical_json
from constrictor.study.steps.step import Optimisation
from constrictor.training.batches import Collator, LengthBuckets, RowNumbers
from constrictor.training.callbacks import AfterStep, Checkpoints, EpochOrder, Progress
from constrictor.training.checkpoints import code_refused, newest_checkpoint
from constrictor.training.cost import Meter
from constrictor.training.data import TrainingData
from constrictor.training.device import prepare_for_training
from constrictor.training.memory import free, is_out_of_memory, split_finer
from constrictor.training.state import count_weights, load_state, save_state
from constrictor.training.trainer import EngineTrainer, Loss, arguments
from constrictor.training.validation import Validation
from constrictor.training.weight_average import WeightAverage

TRAINED_ONLY = 1e-9
"""An epoch just above 0: the weights as they are before a training do not compete."""


class Trained(NamedTuple):
    """What came of a training; the model itself holds the best weights."""

    history: list[dict[str, float]]
    best_epoch: float
    seconds: float
    examples: int
    parameters: dict[str, int] = {}
    cost: dict[str, float] = {}

    def summary(self) -> dict[str, Any]:
        """As it stands in ``training.json``; seconds and examples are those since the last start.

        What diverged is null there: JSON has no NaN.
        """
        return {
            "history": [
                {name: value if math.isfinite(value) else None for name, value in entry.items()}
                for entry in self.history
            ],
            "best_epoch": self.best_epoch,
            "seconds": round(self.seconds, 2),
            "examples": self.examples,
            "examples_per_second": round(self.examples / max(self.seconds, 1e-9), 1),
            **self.parameters,
            **self.cost,
        }


@dataclass(frozen=True)
class _Training:
    """The arguments of :func:`train`."""

    model: PreTrainedModel
    data: TrainingData
    loss: Loss
    validate: Callable[[PreTrainedModel], dict[str, float]]
    settings: Optimisation
    head: Head
    epochs: int
    seed: int
    metric: str
    checkpoints: Path
    competes_from: float
    after_step: Callable[[float], None] | None

    def run(self, parts: int) -> tuple[Validation, Progress]:
        """Train from the newest checkpoint or the start, with each batch split into equal parts."""
        settings, checkpoints = self.settings, self.checkpoints
        # The order is that of whole batches, so that their parts hold the same examples however finely they are split.
        order = LengthBuckets(self.data.group_of, settings.batch_size, self.seed)
        average = WeightAverage(settings.weight_average, self.model, checkpoints) if settings.weight_average else None
        validation = Validation(self.validate, self.metric, settings.patience, checkpoints, self.competes_from, average)
        progress = Progress(settings.batch_size * settings.gradient_accumulation)
        # In the order in which they act on a step: the weights are final, then averaged, then examined, then saved.
        after_step = AfterStep(self.after_step) if self.after_step else None
        hooks = [after_step, average, EpochOrder(order), progress, validation]
        callbacks: list[TrainerCallback] = [*filter(None, hooks), Checkpoints(checkpoints)]
        trainer = EngineTrainer(
            model=self.model,
            args=arguments(settings, self.epochs, self.seed, checkpoints, parts),
            train_dataset=RowNumbers(len(self.data.encoded)),
            data_collator=Collator(self.data.encoded, self.data.pad_id, **self.data.targets),
            callbacks=callbacks,
            order=order,
            loss=self.loss,
            head=self.head,
        )
        trainer.remove_callback(PrinterCallback)  # ours print sentences
        if trainer.args.report_to:
            validation.report = trainer.log
        resume_from = newest_checkpoint(checkpoints)
        if resume_from is not None:
            log.info("resuming from %s", resume_from.name)
            validation.take_up(resume_from)
        if not validation.out_of_patience:  # a kill may have come between the last epoch and the saving
            with code_refused(resume_from):
                trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
        return validation, progress

    def run_within_memory(self) -> tuple[Validation, Progress]:
        """Train; where a batch does not fit in memory, go on with finer parts of it."""
        start, parts = self.checkpoints / "start.safetensors", 1
        if newest_checkpoint(self.checkpoints) is None:
            save_state(self.model, start)
        while True:
            try:
                return self.run(parts)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                parts = split_finer(self.settings.batch_size, parts)
            # Outside the block above, whose error still holds all that the failed pass had in memory.
            self.model.zero_grad(set_to_none=True)
            free()
            if newest_checkpoint(self.checkpoints) is None:
                load_state(self.model, start)


def train(
    model: PreTrainedModel,
    data: TrainingData,
    loss: Loss,
    validate: Callable[[PreTrainedModel], dict[str, float]],
    settings: Optimisation,
    *,
    head: Head,
    epochs: int,
    seed: int,
    metric: str,
    checkpoints: Path,
    identity: str,
    competes_from: float = TRAINED_ONLY,
    after_step: Callable[[float], None] | None = None,
) -> Trained:
    """Train a model in place; it ends with the weights of the epoch that is best on validation.

    Args:
        model: the model; it stays on the device that the trainer chooses.
        data: the training data.
        loss: maps outputs and the batch to one loss a feature.
        validate: computes the validation metrics of the model.
        settings: learning rate and the like.
        head: the model's head.
        epochs: passes over the data.
        seed: seed of the order and of dropout.
        metric: the metric of ``validate`` that decides; higher is better.
        checkpoints: folder for checkpoints; it stays, so that a kill before the model is saved costs nothing.
        identity: names everything that the training depends on; checkpoints of another identity are not used.
        competes_from: epoch from which on weights may be the best ones; 0 lets those before the training compete too.
        after_step: called after each optimiser step with the share of the training that is done, for example to keep
            pruned weights at zero.

    Raises:
        ConstrictorError: if the disk is full, another process is training here, the device cannot compute in the step's
            precision, one example does not fit in memory, or a tracker is not installed.
    """
    meter = Meter()
    prepare_for_training(model)
    if settings.dropout is not None:
        _set_dropout(model, settings.dropout)
    if settings.gradient_checkpointing and not model.supports_gradient_checkpointing:
        raise ConstrictorError(
            f"'{model.config.model_type}' cannot do without activations: leave out 'gradient_checkpointing'."
        )
    training = _Training(
        model, data, loss, validate, settings, head, epochs, seed, metric, checkpoints, competes_from, after_step
    )
    with named_disk_errors(checkpoints):
        checkpoints.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(checkpoints):
            _claim(checkpoints, identity)
            validation, progress = training.run_within_memory()
            load_state(model, validation.best_weights)
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_disable()
    cost = meter.read()
    return Trained(
        validation.history, validation.best["epoch"], cost.pop("seconds"), progress.examples, count_weights(model), cost
    )


def _claim(checkpoints: Path, identity: str) -> None:
    """Keep the checkpoints of the same training; remove those of any other."""
    note = checkpoints / "identity.json"
    text = canonical_json({"identity": identity})
    if not note.is_file() or note.read_text(encoding="utf-8") != text:
        empty_folder(checkpoints)
        write_text(note, text)


def _set_dropout(model: PreTrainedModel, share: float) -> None:
    for path, module in model.named_modules():
        if "lora_dropout" in path:  # the adapter's own setting
            continue
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        # Fused attention takes its share from an attribute of the attention module, not from a Dropout module.
        for name in ("dropout_prob", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)
