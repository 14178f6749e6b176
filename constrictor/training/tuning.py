"""Which weights are trained: all, the head alone, or a low-rank adapter; and what is saved of each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import AutoConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from constrictor.models.adapter import base_digest, merge_adapter
from constrictor.models.architecture import encoder_linears, keep_layers
from constrictor.models.manifest import AdapterRecord, Manifest, read_manifest
from constrictor.models.quantized.nf4 import quantize_base, round_to_nf4
from constrictor.models.torch_model import has_head, load_model
from constrictor.study.settings import Settings
from constrictor.study.steps.adapter import Adapter, Tuning
from constrictor.tasks.kind import Kind
from constrictor.training.targets import head_modules, target_modules

if TYPE_CHECKING:
    from constrictor.training.engine import Trained
    from constrictor.training.node import Node


@dataclass(frozen=True)
class Initialization:
    """What a training starts from.

    Attributes:
        folder: the model's.
        kind: the kind of the task.
        seed: seed of a new head and of an adapter.
        layers: layers that are kept; None for all.
        new_head: replace a head that is there.
        labels: the task's label for names of a kept head's outputs that differ from it.
    """

    folder: Path
    kind: Kind
    seed: int
    layers: list[int] | None = None
    new_head: bool = False
    labels: Mapping[str, str] | None = None

    @property
    def head_is_new(self) -> bool:
        """Whether the head is to be trained from the start."""
        config = AutoConfig.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)
        return self.new_head or not has_head(config, self.kind.head)

    def open(self) -> PreTrainedModel:
        """The model as it is before the training.

        Raises:
            ConstrictorError: if it does not fit the task, or has no such layers.
        """
        max_length = self.kind.record.max_length
        model = load_model(
            self.folder, self.kind.head, max_length, seed=self.seed, new_head=self.new_head, labels=self.labels
        )
        if self.layers:
            keep_layers(model, self.layers)
        return model


@dataclass(frozen=True)
class AdapterCheckpoint:
    """An adapter that is saved by itself.

    Attributes:
        config: peft's configuration.
        weights: by the names of peft's files.
        nf4: layers of the base whose weights are rounded to NF4.
        start: the model that it was trained on.
    """

    config: Any
    weights: dict[str, Tensor]
    nf4: list[str]
    start: Initialization

    def record(self, folder: Path) -> AdapterRecord:
        """The manifest's record of the base, for a folder."""
        return AdapterRecord(
            # Both as links lead, since the way back from a folder behind a link does not pass the link.
            base=os.path.relpath(self.start.folder.resolve(), folder.resolve()),
            base_digest=base_digest(self.start.folder),
            base_bytes=read_manifest(self.start.folder).bytes,
            layers=self.start.layers,
            nf4=self.nf4,
        )


class TrainableModel:
    """A model to train, of which some weights may be frozen.

    Attributes:
        model: what the engine trains.
        head_is_new: whether its head has not been trained yet.
    """

    def __init__(self, start: Initialization, settings: Tuning) -> None:
        """Open the model, freeze what is not trained and put in the adapter.

        Raises:
            ConstrictorError: if the model does not fit the task, or the adapter does not fit the model.
        """
        self.model = start.open()
        self.head_is_new = start.head_is_new
        self._start, self._adapter = start, settings.adapter
        if settings.adapter is not None:
            self._nf4, self._wrapped = _put_in(settings.adapter, self.model, start)
        elif settings.train == "head":
            self.model.requires_grad_(False)
            for name in head_modules(self.model):
                self.model.get_submodule(name).requires_grad_(True)

    def finish(self) -> tuple[PreTrainedModel, AdapterCheckpoint | None]:
        """The plain model that the training made, in float32, and its adapter if that is to be saved by itself.

        An adapter is added to weights that are read anew, which is what happens when one that was kept is opened: both
        give the same logits, also where the weights in training were quantized.
        """
        if self._adapter is None:
            return self.model, None
        from peft import get_peft_model_state_dict

        config = self._wrapped.peft_config["default"]
        found = get_peft_model_state_dict(self._wrapped)
        weights = {name: tensor.detach().cpu().clone() for name, tensor in found.items()}
        base = self._start.open()
        round_to_nf4(base, self._nf4)
        merged = merge_adapter(base, config, weights)
        return merged, None if self._adapter.merge else AdapterCheckpoint(config, weights, self._nf4, self._start)

    def save(self, before: Manifest, settings: Settings, trained: Trained, node: Node, examples: Path) -> Manifest:
        """Save what the training made.

        Args:
            before: manifest of the model whose lineage it continues.
            settings: the step.
            trained: what came of the training.
            node: where to work.
            examples: file of examples to try the model on.
        """
        model, adapter = self.finish()
        start = self._start
        manifest = before.descend(node.step, settings, task=start.kind.record, seed=node.seed)
        return node.save(model, start.folder, manifest, trained, examples, kept=adapter)


def _put_in(settings: Adapter, model: PreTrainedModel, start: Initialization) -> tuple[list[str], Any]:
    """Put an adapter into a model, in place: names of the layers in NF4, and the model as peft sees it."""
    from peft import LoraConfig, get_peft_model

    targets = target_modules(model, settings.targets)
    nf4: list[str] = []
    if settings.base == "nf4":
        nf4 = quantize_base(model, encoder_linears(model))
    config = LoraConfig(
        task_type=start.kind.head.peft_task,
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        modules_to_save=sorted({name.rpartition(".")[2] for name in head_modules(model)}),
        fan_in_fan_out=isinstance(model.get_submodule(targets[0]), Conv1D),
    )
    torch.manual_seed(start.seed)
    model.is_loaded_in_4bit = bool(nf4)  # type: ignore[assignment]  # peft requires it; the trainer would refuse it
    wrapped = get_peft_model(model, config)
    del model.is_loaded_in_4bit
    return nf4, wrapped
