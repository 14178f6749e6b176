"""What the scripts of the stages that train have in common: where they work, and what they read."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from constrictor.study.steps.distil import SoftTargets
from constrictor.training.node import Node, TaskFolder
from workflow_scripts._script import json_of, node_folder

if TYPE_CHECKING:
    from constrictor.training.lessons import Lesson


@dataclass(frozen=True)
class TrainingPlace:
    """The arguments that say where a training works."""

    task: Path
    output: Path
    seed: int
    code: str
    threads: int

    @property
    def node(self) -> Node:
        """The place in the tree of models."""
        folder = node_folder(self.output)
        return Node(folder, folder.name, self.seed, self.code)

    def set_threads(self) -> None:
        """Let torch compute with as many threads as the job has."""
        import torch

        if self.threads:
            torch.set_num_threads(self.threads)

    @property
    def task_folder(self) -> TaskFolder:
        """The prepared task."""
        return TaskFolder(self.task.parent)


def add_training_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the arguments of :class:`TrainingPlace`."""
    arguments.add_argument("--task", type=Path, required=True, help="the prepared task's manifest")
    arguments.add_argument("--output", type=Path, required=True, help="the manifest to write")
    arguments.add_argument("--seed", type=int, required=True, help="seed of the replicate")
    arguments.add_argument("--code", default="", help="digest of the code; checkpoints of other code are not resumed")
    arguments.add_argument("--threads", type=int, default=0, help="threads to compute with; 0 takes all cores")


def add_lesson_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the texts to learn from and the teachers' outputs for them, in the same order for each teacher."""
    arguments.add_argument("--examples", type=Path, nargs="*", default=[], help="examples to learn from")
    arguments.add_argument("--outputs", type=Path, nargs="*", default=[], help="outputs for each of them, by teacher")


def add_recovery_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add what a step reads that damages a model: examples to look at, and the lessons of its recovery."""
    arguments.add_argument("--calibration", type=Path, nargs="*", default=[], help="examples that the method looks at")
    arguments.add_argument("--soft-targets", type=json_of(SoftTargets), help="how teacher and labels mix, as JSON")
    arguments.add_argument("--teacher", type=Path, nargs="*", default=[], help="manifest of a teacher that is copied")
    add_lesson_arguments(arguments)


def lessons_of(examples: list[Path], outputs: list[Path], train_on: dict[str, int]) -> list[Lesson]:
    """Pair examples with what the teachers say, if there are any, and with how often an epoch reads them.

    Examples are in the order of ``train_on``, outputs too, teacher by teacher; both are empty where nothing is trained.
    """
    from constrictor.training.lessons import Lesson  # a quantization that trains nothing needs no torch

    count, repeats = len(examples), train_on.values() if examples else []
    by_teacher = [outputs[start : start + count] for start in range(0, len(outputs), count)] if count else []
    return [
        Lesson(file, said[0] if said else None, times, tuple(said[1:]))
        for file, times, *said in zip(examples, repeats, *by_teacher, strict=True)
    ]


def folder_of(teacher: list[Path]) -> Path | None:
    """Folder of the teacher that a recovery copies, if it copies one."""
    return teacher[0].parent if teacher else None
