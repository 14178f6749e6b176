"""Validation after each epoch of a training, and what follows from it: the best weights, and when to stop."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, TrainerCallback

from constrictor.errors import ConstrictorError
from constrictor.files.writing import write_text
from constrictor.progress import announce, log
from constrictor.training.checkpoints import checkpoint_at, link
from constrictor.training.state import save_state
from constrictor.training.weight_average import WeightAverage


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
        """Have nothing seen yet.

        Args:
            validate: computes the validation metrics of the model.
            metric: the one that decides; higher is better.
            patience: epochs without a better one after which the training stops; None for never.
            folder: where the best weights and the checkpoints lie.
            competes_from: epoch from which on weights may be the best ones.
            average: what is validated and kept in the place of the trained weights.
        """
        self._validate = validate
        self._metric = metric
        self._patience = patience
        self._folder = folder
        self._competes_from = competes_from
        self._average = average
        self.best_weights = folder / self._BEST
        self.history: list[dict[str, float]] = []
        self.report: Callable[[dict[str, float]], None] = lambda entry: None

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
            self.take_up(checkpoint_at(self._folder, state.global_step))
        elif self._competes_from == 0:
            self._enter(state, model)

    def take_up(self, checkpoint: Path) -> None:
        """Read the record of a training that was interrupted, and take its best weights back."""
        self.history = json.loads((checkpoint / self._RECORD).read_text(encoding="utf-8"))
        if self._candidates:
            link(checkpoint / self._BEST, self.best_weights)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Put record and best weights into the checkpoint."""
        checkpoint = checkpoint_at(self._folder, state.global_step)
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
        """Validate; request a checkpoint; stop if nothing got better for too long, or the training has diverged."""
        if not any(entry["step"] == state.global_step for entry in self.history):
            self._enter(state, model)
        control.should_save = True
        if not _is_finite(self.history[-1]):
            if not self._candidates:
                raise ConstrictorError(
                    "the training has diverged: the model's outputs are not finite any more. Lower 'lr', or set 'precision' "
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
        found = self._validate(model)
        entry = {"epoch": round(state.epoch or 0, 4), "step": state.global_step, **found}
        self.history.append(entry)
        self.report({f"validation_{name}": value for name, value in found.items()})
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
        best = bool(self._candidates) and self.best is entry
        announce(f"epoch {entry['epoch']:g}: validation {metrics}{' (best so far)' if best else ''}")
        if best:
            save_state(model, self.best_weights)


def _is_finite(entry: dict[str, float]) -> bool:
    return math.isfinite(entry.get("loss", 0.0))
