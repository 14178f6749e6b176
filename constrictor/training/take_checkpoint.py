"""Begin a recipe with a fine-tuned checkpoint as it is."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig

from constrictor.errors import ConstrictorError
from constrictor.models.manifest import Manifest, read_manifest
from constrictor.models.torch_model import has_head, load_model
from constrictor.study.steps.checkpoint import Checkpoint
from constrictor.tasks.own_head import output_names
from constrictor.training.node import Node, TaskFolder


def take_checkpoint(settings: Checkpoint, start: Path, task: TaskFolder, node: Node) -> Manifest:
    """Save a checkpoint as a model of the task: its outputs in the order of the task's labels, all else unchanged.

    Args:
        settings: the step.
        start: folder of the fetched checkpoint.
        task: the prepared task.
        node: where to work.

    Raises:
        ConstrictorError: if the checkpoint has no head, or one that is not for this task; if its outputs are not finite; if
            the disk is full.
    """
    before, kind = read_manifest(start), task.kind
    config = AutoConfig.from_pretrained(start, local_files_only=True, trust_remote_code=False)
    if not has_head(config, kind.head):
        raise ConstrictorError(
            f"the model '{settings.model}' cannot be taken as it is: it has no head of a {kind.head.title} (its config.json "
            f"says {', '.join(config.architectures or ['nothing'])}). Train one: 'stage: finetune' in place of 'checkpoint'."
        )
    model = load_model(start, kind.head, kind.record.max_length, labels=settings.labels)
    details = {"outputs_of_checkpoint": output_names(config)} if kind.record.labels else {}
    manifest = before.descend(node.step, settings, task=kind.record, seed=node.seed, details=details)
    return node.write_model(model, start, manifest, task.validation)
