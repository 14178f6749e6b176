"""A moving average of the weights while they are trained (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, TrainerCallback

from constrictor.training.checkpoints import checkpoint_at


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
        saved = checkpoint_at(self._folder, state.global_step) / self._FILE
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
        save_file(self._average, checkpoint_at(self._folder, state.global_step) / self._FILE)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the averaged weights while the block lasts."""
        current = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self._put(self._average)
        try:
            yield
        finally:
            self._put(current)

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, weight in self._weights.items():
            weight.copy_(values[name])
