"""The ecosystem's trainer with our order of examples, our loss and our checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, Trainer, TrainingArguments
from transformers.utils import SAFE_WEIGHTS_NAME

from constrictor.models.head import Head
from constrictor.models.model_inputs import inputs_of
from constrictor.runtimes.torch import outputs_of
from constrictor.study.steps.step import Optimisation
from constrictor.training.batches import LengthBuckets
from constrictor.training.device import arithmetic, this_device
from constrictor.training.state import save_state
from constrictor.training.trackers import wanted_trackers

Loss = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]
"""Maps a model's outputs by name, each ``(batch, ...)``, and the batch to ``(batch,)`` losses.

The batch has ``input_ids``, ``attention_mask``, of pairs ``token_type_ids``, the targets and, as ``done``, the share of the
optimiser steps that are done.
"""


def arguments(settings: Optimisation, epochs: int, seed: int, checkpoints: Path, parts: int = 1) -> TrainingArguments:
    """A step's settings as the trainer's arguments.

    Args:
        settings: the step.
        epochs: passes over the rows.
        seed: seed of dropout.
        checkpoints: folder for checkpoints; trackers write beside it.
        parts: into how many passes a batch is split.

    Raises:
        ConstrictorError: if the device cannot compute in the step's precision, or a tracker is not installed.
    """
    how = arithmetic(settings.precision, this_device())
    trackers = wanted_trackers(checkpoints.parent / "logs")
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=epochs,
        seed=seed,
        learning_rate=settings.lr,
        per_device_train_batch_size=settings.batch_size // parts,
        gradient_accumulation_steps=settings.gradient_accumulation * parts,
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        warmup_steps=settings.warmup,
        lr_scheduler_type=settings.schedule if settings.schedule != "constant" else "constant_with_warmup",
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        bf16=how.bf16,
        fp16=how.fp16,
        tf32=how.tf32,
        use_cpu=not torch.cuda.is_available(),
        optim="adamw_torch_fused",
        eval_strategy="no",  # the callbacks validate and save
        save_strategy="no",
        save_total_limit=2,
        logging_strategy="steps" if trackers else "no",
        logging_steps=10,
        report_to=trackers,
        run_name=checkpoints.parent.name,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
    )


class EngineTrainer(Trainer):
    """The trainer with our order of examples and our loss."""

    def __init__(self, *, order: LengthBuckets, loss: Loss, head: Head, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._order = order
        self._loss = loss
        self._head = head
        # Our loss is a mean over the batch, so the trainer has to divide by the number of accumulated batches.
        self.model_accepts_loss_kwargs = False

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # What resuming reads back; the configuration is known, and frozen weights are where they came from.
        assert output_dir is not None
        assert isinstance(self.model, PreTrainedModel)
        save_state(self.model, Path(output_dir) / SAFE_WEIGHTS_NAME)

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthBuckets:
        return self._order

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """Mean of the features' losses."""
        assert isinstance(self.model, PreTrainedModel)
        outputs = outputs_of(model, inputs_of(self.model, inputs), self._head)
        done = torch.tensor(self.state.global_step / self.state.max_steps, dtype=torch.float64)
        return self._loss(outputs, {**inputs, "done": done}).mean()
