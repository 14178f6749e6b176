"""What the stages that train have in common: where they work, how they validate and how they save.

Torch is imported by what computes with it, since quantizing an ONNX model has a place in the tree and needs no torch.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from constrictor.data.batching import predict_outputs
from constrictor.data.examples import read_examples
from constrictor.data.lengths import format_lengths, length_summary
from constrictor.data.tokenization import Tokenizer
from constrictor.files.hashes import sha256_of
from constrictor.files.writing import write_json
from constrictor.models.artifact import artifact_folder, seal
from constrictor.models.manifest import Manifest, installed_versions
from constrictor.models.tokenizer_files import copy_tokenizer, replace_tokenizer
from constrictor.progress import announce, format_seconds, log
from constrictor.runtimes.runtime import Runtime
from constrictor.runtimes.try_out import try_out
from constrictor.study.settings import Settings
from constrictor.tasks.kind import Kind
from constrictor.tasks.manifest import TaskManifest, read_task
from constrictor.tasks.registry import kind_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from constrictor.training.engine import Trained
    from constrictor.training.tuning import AdapterCheckpoint


@dataclass(frozen=True)
class Node:
    """A place in the tree of models where a stage works.

    Attributes:
        folder: ``results/<study>/<task>/<replicate>/<lineage>``.
        step: name of the step.
        seed: seed of the replicate.
        code: digest of the code that runs; checkpoints of other code are not resumed.
    """

    folder: Path
    step: str
    seed: int
    code: str = ""

    @property
    def model(self) -> Path:
        """The artifact."""
        return self.folder / "model"

    @property
    def checkpoints(self) -> Path:
        """Where a training keeps what it needs to go on after a kill."""
        return self.folder / "checkpoints"

    def identity(self, settings: Settings, inputs: Iterable[Path]) -> str:
        """Names all that a training depends on."""
        parts = [self.code, settings.canonical(), str(self.seed), *(sha256_of(file) for file in inputs)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def save(
        self,
        model: PreTrainedModel,
        tokenizer_from: Path,
        manifest: Manifest,
        trained: Trained | None,
        examples: Path,
        tokenizer: str | None = None,
        kept: AdapterCheckpoint | None = None,
    ) -> Manifest:
        """Write ``training.json`` and, last, the artifact.

        Args:
            model: the model.
            tokenizer_from: folder whose tokenizer is the model's.
            manifest: what is known of it; sizes and versions are filled in here.
            trained: what came of its training, if it was trained.
            examples: file of examples to try the model on.
            tokenizer: content of ``tokenizer.json`` where it is not that folder's any more.
            kept: the adapter that is written in the model's place.

        Raises:
            ConstrictorError: if the model's outputs are not finite, or the disk is full.
        """
        self.write_training(trained)
        details = {**manifest.details, **_share_trained(trained)}
        sealed = self.write_model(
            model, tokenizer_from, manifest.model_copy(update={"details": details}), examples, tokenizer, kept
        )
        self.forget_training()
        return sealed

    def write_model(
        self,
        model: PreTrainedModel,
        tokenizer_from: Path,
        manifest: Manifest,
        examples: Path,
        tokenizer: str | None = None,
        kept: AdapterCheckpoint | None = None,
    ) -> Manifest:
        """Try the model out and write the artifact. The arguments are those of :meth:`save`."""
        from constrictor.models.adapter import save_adapter
        from constrictor.models.torch_model import count_parameters, save_model
        from constrictor.models.widths import note_shape
        from constrictor.runtimes.torch import opened

        kind = kind_of(manifest.trained_for())
        runtime = Runtime(manifest, kind, kind.tokenizer(tokenizer_from, tokenizer), opened(model, kind.head))
        try_out(self.step, lambda: runtime, examples)
        shape = note_shape(model)  # may write into the configuration, so it goes before the saving
        with artifact_folder(self.model) as staging:
            record = kept.record(self.model) if kept else None
            if kept and record:
                model.config.architectures = [type(model).__name__]
                save_adapter(kept.config, kept.weights, record.base, model.config, staging)
                copy_tokenizer(tokenizer_from, staging)
            else:
                save_model(model, tokenizer_from, staging)
            if tokenizer is not None:
                replace_tokenizer(staging, tokenizer)
            return seal(
                staging,
                manifest.model_copy(
                    update={
                        **count_parameters(model),
                        "layers": model.config.num_hidden_layers,
                        "shape": shape,
                        "adapter": record,
                        "versions": installed_versions("torch", "transformers"),
                    }
                ),
            )

    def forget_training(self) -> None:
        """Remove what a training would need to go on: its model is saved."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def write_training(self, trained: Trained | None) -> None:
        """Write ``training.json`` and log the result; None where nothing was trained."""
        record = trained.summary() if trained else {"history": []}
        write_json(self.folder / "training.json", record)
        if trained:
            announce(
                f"{self.step}: best epoch {trained.best_epoch:g}, {format_seconds(trained.seconds)}, "
                f"{record['examples_per_second']:.0f} examples/s"
            )


def _share_trained(trained: Trained | None) -> dict[str, int]:
    """How many of all parameters were trained, where some were frozen."""
    counts = trained.parameters if trained else {}
    return counts if len(set(counts.values())) > 1 else {}


@dataclass(frozen=True)
class TaskFolder:
    """A prepared task on disk."""

    file: Path
    """The task's manifest."""
    validation: Path
    """The validation examples."""

    @cached_property
    def manifest(self) -> TaskManifest:
        """What the task is."""
        return read_task(self.file)

    @cached_property
    def kind(self) -> Kind:
        """The kind of the task."""
        return kind_of(self.manifest.task)

    def validator(self, tokenizer: Tokenizer) -> Callable[[PreTrainedModel], dict[str, float]]:
        """A function that computes a model's loss and metric on the validation examples."""
        from constrictor.models.device import has_native_bf16
        from constrictor.runtimes.torch import forward

        kind, metric = self.kind, self.manifest.metric
        examples = read_examples(self.validation)
        features = kind.encode(tokenizer, examples.texts)
        targets = kind.targets(features, examples.labels)
        measure = kind.measures[metric]
        lengths = length_summary(features.lengths, tokenizer.max_length, kind.longer_inputs)
        log.info("validation: %s", format_lengths(lengths))

        def validate(model: PreTrainedModel) -> dict[str, float]:
            predict = partial(forward, model, head=kind.head, bf16=has_native_bf16())
            raw = predict_outputs(predict, features.encoded, tokenizer.pad_id, per_token=kind.per_token)
            predictions = kind.predict(kind.decode(raw, features, examples.texts))
            return {
                metric: measure.of(examples.labels, predictions),
                "loss": float(kind.losses(raw, targets).mean()),
            }

        return validate
