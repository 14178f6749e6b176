"""Which weights are trained: all, the head alone, or a low-rank adapter; and what is saved of each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from constrictor.artifacts.adapter import base_digest, fold, round_to_nf4
from constrictor.artifacts.architecture import encoder_layers, encoder_linears, family_of, keep_layers
from constrictor.artifacts.manifest import AdapterRecord, read_manifest
from constrictor.artifacts.torch_model import load_classifier
from constrictor.data.task_manifest import TaskManifest
from constrictor.errors import ConstrictorError, nearest
from constrictor.study.steps.adapter import Adapter, Tuning

PARTS = ("query", "key", "value", "attention_output", "ffn_in", "ffn_out")


@dataclass(frozen=True)
class Start:
    """What a training starts from.

    Attributes:
        folder: the model's.
        labels: the task's classes.
        max_length: longest input in tokens.
        seed: seed of a new head and of an adapter.
        layers: layers that are kept; None for all.
        new_head: replace a head that is there.
        kind: the kind of problem.
    """

    folder: Path
    labels: list[str]
    max_length: int
    seed: int
    layers: list[int] | None = None
    new_head: bool = False
    kind: str = "classification"

    @classmethod
    def of(
        cls, folder: Path, task: TaskManifest, seed: int, layers: list[int] | None = None, new_head: bool = False
    ) -> Start:
        """What a training for a task starts from."""
        return cls(folder, task.labels, task.max_length, seed, layers, new_head, task.kind)

    def open(self) -> PreTrainedModel:
        """The model as it is before the training.

        Raises:
            ConstrictorError: if it does not fit the task, or has no such layers.
        """
        model = load_classifier(
            self.folder, self.labels, self.max_length, seed=self.seed, new_head=self.new_head, kind=self.kind
        )
        if self.layers:
            keep_layers(model, self.layers)
        return model


@dataclass(frozen=True)
class Kept:
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
    start: Start

    def record(self, folder: Path) -> AdapterRecord:
        """What the manifest in a folder says about the base."""
        return AdapterRecord(
            base=os.path.relpath(self.start.folder, folder),
            base_digest=base_digest(self.start.folder),
            base_bytes=read_manifest(self.start.folder).bytes,
            layers=self.start.layers,
            nf4=self.nf4,
        )


class Trainee:
    """A model to train, of which some weights may be frozen.

    Attributes:
        model: what the engine trains.
    """

    def __init__(self, start: Start, settings: Tuning) -> None:
        """Open the model, freeze what is not trained and put in the adapter.

        Raises:
            ConstrictorError: if the model does not fit the task, or the adapter does not fit the model.
        """
        self.model = start.open()
        self._start, self._adapter = start, settings.adapter
        if settings.adapter is not None:
            self._nf4, self._wrapped = _put_in(settings.adapter, self.model, start.seed)
        elif settings.train == "head":
            self.model.requires_grad_(False)
            for name in head_modules(self.model):
                self.model.get_submodule(name).requires_grad_(True)

    def finish(self) -> tuple[PreTrainedModel, Kept | None]:
        """The plain model that the training made, in float32, and its adapter if that is to be saved by itself.

        An adapter is added to weights that are read anew, which is what happens when one that was kept is opened: both
        give the same logits, also where the live weights were quantized.
        """
        if self._adapter is None:
            return self.model, None
        from peft import get_peft_model_state_dict

        config = self._wrapped.peft_config["default"]
        found = get_peft_model_state_dict(self._wrapped)
        weights = {name: tensor.detach().cpu().clone() for name, tensor in found.items()}
        base = self._start.open()
        round_to_nf4(base, self._nf4)
        merged = fold(base, config, weights)
        return merged, None if self._adapter.merge else Kept(config, weights, self._nf4, self._start)


def _put_in(settings: Adapter, model: PreTrainedModel, seed: int) -> tuple[list[str], Any]:
    """Put an adapter into a model, in place: names of the layers in NF4, and the model as peft sees it."""
    from peft import LoraConfig, get_peft_model

    targets = target_modules(model, settings.targets)
    nf4: list[str] = []
    if settings.base == "nf4":
        from constrictor.compression.quantization.bnb import quantize_base

        nf4 = quantize_base(model, encoder_linears(model))
    config = LoraConfig(
        task_type="SEQ_CLS",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        modules_to_save=sorted({name.rpartition(".")[2] for name in head_modules(model)}),
        fan_in_fan_out=isinstance(model.get_submodule(targets[0]), Conv1D),
    )
    torch.manual_seed(seed)
    model.is_loaded_in_4bit = bool(nf4)  # type: ignore[assignment]  # peft asks for it; the trainer would refuse it
    wrapped = get_peft_model(model, config)
    del model.is_loaded_in_4bit
    return nf4, wrapped


def head_modules(model: PreTrainedModel) -> list[str]:
    """Names of the modules with weights that turn the encoder's output into logits: the head, and the pooler if any."""
    outside = [name for name, _ in model.named_children() if name != model.base_model_prefix]
    inside = [f"{model.base_model_prefix}.pooler"] if getattr(model.base_model, "pooler", None) is not None else []
    return [name for name in [*inside, *outside] if any(True for _ in model.get_submodule(name).parameters())]


def target_modules(model: PreTrainedModel, targets: str | Sequence[str]) -> list[str]:
    """Full names of the matrices that get an adapter.

    Args:
        model: the model.
        targets: `all`, or a list of parts (:data:`PARTS`) and ends of modules' own names.

    Raises:
        ConstrictorError: if a target is none of the model's, or the architecture is not one of those known.
    """
    family, layers = family_of(model), encoder_layers(model)
    part_of = {getattr(family, part): part for part in PARTS if getattr(family, part)}
    full = {id(module): name for name, module in model.named_modules()}
    inside = [
        (path, full[id(module)])
        for layer in layers
        for path, module in layer.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
    ]
    if targets == "all":
        return [name for _, name in inside]
    known = {part_of.get(path, path) for path, _ in inside}
    chosen = []
    for target in targets:
        # A part's name goes first: BERT's 'value' is a part, and its 'dense' ends the names of three.
        if target in known:
            found = [name for path, name in inside if part_of.get(path, path) == target]
        else:
            found = [name for path, name in inside if f".{path}".endswith(f".{target}")]
        if not found:
            raise ConstrictorError(
                f"the model's layers have no matrix '{target}' for an adapter. {nearest(target, known)}"
            )
        chosen += found
    return sorted(set(chosen))
