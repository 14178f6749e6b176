"""Feature distillation: student and online teacher compute the same batch, and hooks keep the outputs of their layers.

The teacher computes without gradients, in the student's precision and with its padding mask. Where widths differ, a linear
projection of the student's states is learned with the student (Romero et al., 2015; Jiao et al., 2020). It hangs on the
student while that is trained, so that optimiser and checkpoints hold it, and is taken off before the student is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from constrictor.models.model_inputs import inputs_of
from constrictor.study.steps.feature_distillation import FeatureDistillation
from constrictor.training.features import AttentionMaps, HiddenStates, Representations

MatchingLoss = Callable[[Mapping[str, Tensor]], Tensor]
"""Maps a batch, after the student has computed it, to ``(batch,)`` losses."""

_PROJECTIONS = "matching_projections"


@contextmanager
def matching(
    settings: FeatureDistillation, student: PreTrainedModel, teacher: PreTrainedModel, *, bf16: bool, seed: int
) -> Iterator[MatchingLoss]:
    """A loss between intermediate representations of two models; while the block lasts, the student holds the projections.

    Args:
        settings: what is copied.
        student: the model that is trained.
        teacher: the model that it copies.
        bf16: whether the student computes its matrix products in bf16.
        seed: seed of the projections.

    Raises:
        ConstrictorError: if an architecture is not known, a layer does not exist, or heads do not agree.
    """
    hidden = HiddenStates(settings.hidden, student, teacher, seed) if settings.hidden else None
    attention = AttentionMaps(settings.attention, student, teacher) if settings.attention else None
    parts = [part for part in (hidden, attention) if part is not None]
    of_student, of_teacher = _Recorder(student, parts, always=False), _Recorder(teacher, parts, always=True)
    if hidden is not None and len(hidden.projections):
        student.add_module(_PROJECTIONS, hidden.projections)
    teacher.requires_grad_(False).eval()

    def loss(batch: Mapping[str, Tensor]) -> Tensor:
        mask = batch["attention_mask"]
        if teacher.device != mask.device:
            teacher.to(mask.device)  # type: ignore[arg-type]
        with torch.autocast(mask.device.type, torch.bfloat16, enabled=bf16):
            with torch.no_grad():
                teacher.base_model(**inputs_of(teacher, batch))
            losses = [part.loss(of_student.kept, of_teacher.kept, mask) for part in parts]
        of_student.kept.clear()
        return torch.stack(losses).sum(dim=0)

    try:
        yield loss
    finally:
        of_student.remove()
        of_teacher.remove()
        if hasattr(student, _PROJECTIONS):
            delattr(student, _PROJECTIONS)


class _Recorder:
    """Keeps what some modules of a model put out: always, or in training mode only, so not what a validation computes."""

    def __init__(self, model: PreTrainedModel, parts: list[HiddenStates | AttentionMaps], *, always: bool) -> None:
        self.kept: Representations = {}
        modules = {name: module for part in parts for name, module in part.modules_of(model).items()}
        self._hooks = [
            module.register_forward_hook(self._hook(name, model, always)) for name, module in modules.items()
        ]

    def _hook(self, name: str, model: PreTrainedModel, always: bool) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            if always or model.training:
                self.kept[name] = output[0] if isinstance(output, tuple) else output

        return keep

    def remove(self) -> None:
        """Listen no more."""
        for hook in self._hooks:
            hook.remove()
