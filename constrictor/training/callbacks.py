"""What the engine hangs onto the trainer: the order of an epoch, work after a step, checkpoints and progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from constrictor.progress import format_seconds, log
from constrictor.training.batches import LengthBuckets
from constrictor.training.checkpoints import checkpoint_at, mark_whole

SECONDS_BETWEEN_CHECKPOINTS = 60.0


class EpochOrder(TrainerCallback):
    """Gives each epoch its own order, also after a resumption in its middle."""

    def __init__(self, order: LengthBuckets) -> None:
        self._order = order

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set the epoch."""
        self._order.epoch = int(state.epoch)


class AfterStep(TrainerCallback):
    """Calls a function after each optimiser step."""

    def __init__(self, function: Callable[[float], None]) -> None:
        self._function = function

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Call it with the share of the training that is done."""
        # The trainer counts the step only after this call.
        self._function((state.global_step + 1) / state.max_steps)


class Checkpoints(TrainerCallback):
    """Requests a checkpoint every minute, and marks each one that is whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Request a checkpoint when the last one is old."""
        if time.monotonic() - self._last > SECONDS_BETWEEN_CHECKPOINTS and state.global_step < state.max_steps:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint as whole."""
        self._last = time.monotonic()
        mark_whole(checkpoint_at(self._folder, state.global_step))


class Progress(TrainerCallback):
    """Writes a line every few seconds: epoch, loss, examples a second, time left."""

    seconds_between_lines = 5.0

    def __init__(self, examples_per_step: int) -> None:
        self._examples_per_step = examples_per_step
        self._start_step = self._step = self._line_step = 0
        self._start = self._line = time.monotonic()

    @property
    def examples(self) -> int:
        """Examples that were trained on since the start of this process."""
        return (self._step - self._start_step) * self._examples_per_step

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self._start_step = self._step = self._line_step = state.global_step
        self._start = self._line = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write a line when the last one is old."""
        self._step = state.global_step
        now = time.monotonic()
        if now - self._line < self.seconds_between_lines:
            return
        rate = (self._step - self._line_step) / (now - self._line)
        left = (state.max_steps - self._step) / rate
        log.info(
            "epoch %.2f of %d: %.0f examples/s, %s left",
            state.epoch,
            state.num_train_epochs,
            rate * self._examples_per_step,
            format_seconds(left),
        )
        self._line, self._line_step = now, self._step
