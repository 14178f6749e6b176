"""What the scripts of the stages that train have in common: where they work, and what they read."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from constrictor.training.distil import Lesson
from constrictor.training.node import Node, TaskFolder
from workflow_scripts._script import node_folder


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
        """The place in the tree of models; asking for it sets the number of threads."""
        import torch

        if self.threads:
            torch.set_num_threads(self.threads)
        folder = node_folder(self.output)
        return Node(folder, folder.name, self.seed, self.code)

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
    """Add the texts to learn from and the teacher's outputs for them, in the same order."""
    arguments.add_argument("--examples", type=Path, nargs="*", default=[], help="examples to learn from")
    arguments.add_argument("--outputs", type=Path, nargs="*", default=[], help="the teacher's outputs for each of them")


def lessons_of(examples: list[Path], outputs: list[Path], passes: list[int] | None = None) -> list[Lesson]:
    """Pair examples with outputs and with how often an epoch reads them (once by default)."""
    return [Lesson(*lesson) for lesson in zip(examples, outputs, passes or [1] * len(examples), strict=True)]
