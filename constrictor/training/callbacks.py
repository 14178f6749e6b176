"""What the engine hangs onto the trainer: the order of an epoch, validation, checkpoints and progress."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, TrainerCallback

from constrictor.artifacts.writing import write_text
from constrictor.errors import ConstrictorError
from constrictor.progress import announce, log, spell_seconds
from constrictor.training.batches import LengthBuckets
from constrictor.training.checkpoints import link, mark_whole
from constrictor.training.state import save_state

SECONDS_BETWEEN_CHECKPOINTS = 60.0


class EpochOrder(TrainerCallback):
    """Gives each epoch its own order, also after a resumption in its middle."""

    def __init__(self, order: LengthBuckets) -> None:
        self._order = order

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set the epoch."""
        self._order.epoch = int(state.epoch)


class WeightAverage(TrainerCallback):
    """A moving average of the weights: ``a <- d * a + (1 - d) * w`` after each step.

    The decay starts low, ``min(d, (1 + t) / (10 + t))`` at step t, so that the average soon forgets where it began.
    """

    _FILE = "average.safetensors"

    def __init__(self, decay: float, model: PreTrainedModel, folder: Path) -> None:
        self._decay = decay
        self._folder = folder
        self._weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._average: dict[str, Tensor] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin with the weights as they are, or with the average of an interrupted training."""
        saved = self._folder / f"checkpoint-{state.global_step}" / self._FILE
        known = load_file(saved) if state.global_step and saved.is_file() else {}
        self._average = {
            name: known.get(name, weight.detach()).to(weight.device, copy=True)
            for name, weight in self._weights.items()
        }

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the average."""
        decay = min(self._decay, (1 + state.global_step) / (10 + state.global_step))
        weights = [weight.detach() for weight in self._weights.values()]
        torch._foreach_lerp_(list(self._average.values()), weights, 1 - decay)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Put the average into the checkpoint."""
        save_file(self._average, self._folder / f"checkpoint-{state.global_step}" / self._FILE)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the averaged weights while the block lasts."""
        live = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self._put(self._average)
        try:
            yield
        finally:
            self._put(live)

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, weight in self._weights.items():
            weight.copy_(values[name])


class Validation(TrainerCallback):
    """Validates after each epoch, keeps the best weights on disk and stops when patience ends.

    Each checkpoint holds the record and the best weights up to its step.
    """

    _RECORD, _BEST = "validation.json", "best.safetensors"

    def __init__(
        self,
        validate: Callable[[PreTrainedModel], dict[str, float]],
        metric: str,
        patience: int | None,
        folder: Path,
        competes_from: float,
        average: WeightAverage | None = None,
    ) -> None:
        self._validate = validate
        self._metric = metric
        self._patience = patience
        self._folder = folder
        self._competes_from = competes_from
        self._average = average
        self.best_weights = folder / self._BEST
        self.history: list[dict[str, float]] = []
        self.tell: Callable[[dict[str, float]], None] = lambda entry: None  # trackers listen here

    @property
    def best(self) -> dict[str, float]:
        """The entry of the best epoch: of equal ones the first, and none that does not compete yet."""
        return max(self._candidates, key=lambda entry: entry[self._metric])

    @property
    def _candidates(self) -> list[dict[str, float]]:
        return [entry for entry in self.history if entry["epoch"] >= self._competes_from and _is_finite(entry)]

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Take up the record of a training that was interrupted."""
        if state.global_step:
            self.take_up(self._folder / f"checkpoint-{state.global_step}")
        elif self._competes_from == 0:
            self._enter(state, model)

    def take_up(self, checkpoint: Path) -> None:
        """Read the record of a training that was interrupted, and take its best weights back."""
        self.history = json.loads((checkpoint / self._RECORD).read_text(encoding="utf-8"))
        if self._candidates:
            link(checkpoint / self._BEST, self.best_weights)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Put record and best weights into the checkpoint."""
        checkpoint = self._folder / f"checkpoint-{state.global_step}"
        write_text(checkpoint / self._RECORD, json.dumps(self.history))
        if self._candidates:
            link(self.best_weights, checkpoint / self._BEST)

    @property
    def out_of_patience(self) -> bool:
        """Whether nothing got better for too long."""
        if self._patience is None or not self._candidates:
            return False
        return self.history[-1]["epoch"] - self.best["epoch"] >= self._patience

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Validate; ask for a checkpoint; stop if nothing got better for too long, or the training has diverged."""
        if not any(entry["step"] == state.global_step for entry in self.history):
            self._enter(state, model)
        control.should_save = True
        if not _is_finite(self.history[-1]):
            if not self._candidates:
                raise ConstrictorError(
                    "the training has diverged: what the model says is not finite any more. Lower 'lr', or set 'precision' "
                    "to fp32; if it was so from the start, the weights that it starts from are damaged."
                )
            log.info("the training has diverged: stopping with the best epoch before")
            control.should_training_stop = True
        if self.out_of_patience:
            log.info("no better epoch for %d epochs: stopping", self._patience)
            control.should_training_stop = True

    def _enter(self, state: Any, model: Any) -> None:
        with self._average.in_place() if self._average else nullcontext():
            self._examine(state, model)

    def _examine(self, state: Any, model: Any) -> None:
        entry = {"epoch": round(state.epoch or 0, 4), "step": state.global_step, **self._validate(model)}
        self.history.append(entry)
        self.tell({f"validation_{name}": value for name, value in entry.items() if name not in ("epoch", "step")})
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in entry.items() if name not in ("epoch", "step"))
        best = bool(self._candidates) and self.best is entry
        announce(f"epoch {entry['epoch']:g}: validation {metrics}{' (best so far)' if best else ''}")
        if best:
            save_state(model, self.best_weights)


def _is_finite(entry: dict[str, float]) -> bool:
    return math.isfinite(entry.get("loss", 0.0))


class Checkpoints(TrainerCallback):
    """Asks for a checkpoint every minute, and marks each one that is whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint when the last one is old."""
        if time.monotonic() - self._last > SECONDS_BETWEEN_CHECKPOINTS and state.global_step < state.max_steps:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint as whole."""
        self._last = time.monotonic()
        mark_whole(self._folder / f"checkpoint-{state.global_step}")


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
            spell_seconds(left),
        )
        self._line, self._line_step = now, self._step
