"""The training engine that every stage with gradients uses: the ecosystem's trainer, fed well and made resumable.

What it adds to `transformers.Trainer`: batches of one length (:mod:`constrictor.training.batches`), bf16 where the
hardware has it, validation after each epoch with the best weights kept, checkpoints by the clock, resumption from the
newest whole checkpoint, and progress lines.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from constrictor.artifacts.writing import disk_errors_named, write_text
from constrictor.data.tokenization import Encoded
from constrictor.progress import Stopwatch, log
from constrictor.study.settings import canonical_json
from constrictor.study.steps.step import Optimisation
from constrictor.training.batches import Collator, LengthBuckets, Rows
from constrictor.training.callbacks import (
    Checkpoints,
    EpochOrder,
    Progress,
    Validation,
    WeightAverage,
    newest_checkpoint,
)
from constrictor.training.device import prepare_for_training, use_bf16

Loss = Callable[[Tensor, dict[str, Tensor]], Tensor]
"""Maps logits ``(batch, classes)`` and the batch to ``(batch,)`` losses.

The batch has ``input_ids``, ``attention_mask``, the targets and, as ``done``, the share of the optimiser steps that are done.
"""


@dataclass(frozen=True)
class TrainingData:
    """What a model is trained on.

    Attributes:
        encoded: token ids of every row.
        pad_id: id of the padding token.
        targets: arrays with one entry a row, handed to the loss: ``labels``, ``teacher_logits``.
    """

    encoded: Encoded
    pad_id: int
    targets: dict[str, np.ndarray] = field(default_factory=dict)


class Trained(NamedTuple):
    """What came of a training; the model itself holds the best weights."""

    history: list[dict[str, float]]
    best_epoch: float
    seconds: float
    examples: int

    def summary(self) -> dict[str, Any]:
        """As it stands in ``training.json``; seconds and examples are those since the last start."""
        return {
            "history": self.history,
            "best_epoch": self.best_epoch,
            "seconds": round(self.seconds, 2),
            "examples": self.examples,
            "examples_per_second": round(self.examples / max(self.seconds, 1e-9), 1),
        }


def train(
    model: PreTrainedModel,
    data: TrainingData,
    loss: Loss,
    validate: Callable[[PreTrainedModel], dict[str, float]],
    settings: Optimisation,
    *,
    epochs: int,
    seed: int,
    metric: str,
    checkpoints: Path,
    identity: str,
    competes_from: float = 1e-9,
    after_step: Callable[[float], None] | None = None,
) -> Trained:
    """Train a model in place; it ends with the weights of the epoch that is best on validation.

    Args:
        model: the model; it stays on the device that the trainer chooses.
        data: the training rows.
        loss: maps logits and targets to one loss a row.
        validate: computes the validation metrics of the live model.
        settings: learning rate and the like.
        epochs: passes over the rows.
        seed: seed of the order and of dropout.
        metric: the metric of ``validate`` that decides; higher is better.
        checkpoints: folder for checkpoints; removed at the end.
        identity: names everything that the training depends on; checkpoints of another identity are not used.
        competes_from: epoch from which on weights may be the best ones; 0 lets those before the training compete too.
        after_step: called after each optimiser step with the share of the training that is done, for example to keep
            pruned weights at zero.

    Raises:
        ConstrictorError: if the disk is full.
    """
    _claim(checkpoints, identity)
    prepare_for_training(model)
    if settings.dropout is not None:
        _set_dropout(model, settings.dropout)
    order = LengthBuckets([len(ids) for ids in data.encoded], settings.batch_size, seed)
    average = WeightAverage(settings.weight_average, model, checkpoints) if settings.weight_average else None
    validation = Validation(validate, metric, settings.patience, checkpoints, competes_from, average)
    progress = Progress(settings.batch_size * settings.gradient_accumulation)
    # In the order in which they act on a step: the weights are final, then averaged, then examined, then saved.
    hooks = [_AfterStep(after_step) if after_step else None, average, EpochOrder(order), progress, validation]
    callbacks: list[TrainerCallback] = [*filter(None, hooks), Checkpoints(checkpoints)]
    trainer = _EngineTrainer(
        model=model,
        args=_arguments(settings, epochs, seed, checkpoints),
        train_dataset=Rows(len(data.encoded)),
        data_collator=Collator(data.encoded, data.pad_id, **data.targets),
        callbacks=callbacks,
        order=order,
        loss=loss,
    )
    trainer.remove_callback(PrinterCallback)  # ours say it in words
    stopwatch = Stopwatch()
    resume_from = newest_checkpoint(checkpoints)
    if resume_from is not None:
        log.info("resuming from %s", resume_from.name)
        validation.take_up(int(resume_from.name.rpartition("-")[2]))
    if not validation.out_of_patience:  # a kill may have come between the last epoch and the saving
        with disk_errors_named(checkpoints):
            trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
    model.load_state_dict(load_file(validation.best_weights), strict=False)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return Trained(validation.history, validation.best["epoch"], stopwatch.seconds, progress.examples)


def _claim(checkpoints: Path, identity: str) -> None:
    """Keep the checkpoints of the same training; remove those of any other."""
    note = checkpoints / "identity.json"
    text = canonical_json({"identity": identity})
    if not note.is_file() or note.read_text(encoding="utf-8") != text:
        shutil.rmtree(checkpoints, ignore_errors=True)
        write_text(note, text)


def _set_dropout(model: PreTrainedModel, share: float) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        # Fused attention takes its share from an attribute of the attention module, not from a Dropout module.
        for name in ("dropout_prob", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)


def _arguments(settings: Optimisation, epochs: int, seed: int, checkpoints: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=epochs,
        seed=seed,
        learning_rate=settings.lr,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        warmup_steps=settings.warmup,
        lr_scheduler_type=settings.schedule if settings.schedule != "constant" else "constant_with_warmup",
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        bf16=use_bf16(settings.precision),
        use_cpu=not torch.cuda.is_available(),
        optim="adamw_torch_fused",
        eval_strategy="no",  # the callbacks validate and save
        save_strategy="no",
        save_total_limit=2,
        logging_strategy="no",
        report_to=[],
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
    )


class _EngineTrainer(Trainer):
    """The trainer with our order of examples and our loss."""

    def __init__(self, *, order: LengthBuckets, loss: Loss, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._order = order
        self._loss = loss
        # Our loss is a mean over the batch, so the trainer has to divide by the number of accumulated batches.
        self.model_accepts_loss_kwargs = False

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthBuckets:
        return self._order

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """Mean of the rows' losses."""
        features = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        logits = model(**features).logits.float()
        done = torch.tensor(self.state.global_step / self.state.max_steps, dtype=torch.float64)
        return self._loss(logits, {**inputs, "done": done}).mean()


class _AfterStep(TrainerCallback):
    """Calls a function after each optimiser step."""

    def __init__(self, function: Callable[[float], None]) -> None:
        self._function = function

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # The trainer counts the step only after this call.
        self._function((state.global_step + 1) / state.max_steps)
