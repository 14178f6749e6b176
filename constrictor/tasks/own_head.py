"""The head that a checkpoint brings: whether it is one for a task, and which of its outputs stands for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from constrictor.errors import ConstrictorError
from constrictor.tasks.label_matching import match_labels


def output_names(config: Any) -> list[str]:
    """The names of the outputs in a checkpoint's configuration, in their order."""
    return [name for _, name in sorted((config.id2label or {}).items())]


def order_of_outputs(
    config: Any,
    renamed: Mapping[str, str],
    where: str,
    *,
    names: Sequence[str],
    labelled: bool,
    problem_type: str | None = None,
) -> list[int]:
    """The number of the checkpoint's output for each of a task's.

    Args:
        config: transformers' configuration of the checkpoint.
        renamed: the task's label for some of the checkpoint's names, as a step's key `labels` has it.
        where: the checkpoint, for messages.
        names: the task's outputs.
        labelled: whether they stand for labels, and so are matched by name.
        problem_type: what transformers calls the kind of the task.

    Raises:
        ConstrictorError: if it is a head for another kind of task, or has other labels or another number of outputs.
    """
    found = output_names(config)
    if config.problem_type and problem_type and config.problem_type != problem_type:
        raise ConstrictorError(
            f"the head of the model in {where} is for another kind of task: its config.json says {config.problem_type}, and "
            f"the task needs {problem_type}. Change the task's 'kind', or train a new head ('new_head: true' in a 'finetune' "
            "or 'distil' step)."
        )
    if labelled:
        return match_labels(found, names, renamed, where)
    if renamed:
        raise ConstrictorError("'labels': the task has no labels to give to the outputs of a head. Remove the key.")
    if len(found) != len(names):
        raise ConstrictorError(
            f"the head of the model in {where} has {len(found)} outputs and the task needs {len(names)}: {', '.join(names)}. "
            "Train a new head ('new_head: true' in a 'finetune' or 'distil' step)."
        )
    return list(range(len(found)))
