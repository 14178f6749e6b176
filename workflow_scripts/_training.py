"""What the scripts of the stages that train have in common: where they work, and what they read."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from constrictor.study.steps.distil import SoftTargets
from constrictor.study.training_plan import TrainingPlan, TrainingSet
from constrictor.training.node import Node, TaskFolder
from workflow_scripts._script import json_of, node_folder


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


def add_data_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the texts to learn from and the teachers' outputs for them, in the same order for each teacher."""
    arguments.add_argument("--examples", type=Path, nargs="*", default=[], help="examples to learn from")
    arguments.add_argument("--outputs", type=Path, nargs="*", default=[], help="outputs for each of them, by teacher")


def add_recovery_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add what a step reads that damages a model: examples to look at, and the lessons of its recovery."""
    arguments.add_argument("--calibration", type=Path, nargs="*", default=[], help="examples that the method looks at")
    arguments.add_argument("--soft-targets", type=json_of(SoftTargets), help="how teacher and labels mix, as JSON")
    arguments.add_argument("--teacher", type=Path, nargs="*", default=[], help="manifest of a teacher that is copied")
    add_data_arguments(arguments)


def plan_of(
    examples: list[Path],
    outputs: list[Path],
    repeats: Mapping[str, int],
    soft_targets: SoftTargets | None = None,
    teacher: Path | None = None,
) -> TrainingPlan | None:
    """What a training reads; None where nothing is trained.

    Args:
        examples: a file a training set, in the order of ``repeats``.
        outputs: the teachers' outputs for them, teacher by teacher.
        repeats: how often an epoch reads each set, by its name.
        soft_targets: how teacher and labels are weighed.
        teacher: folder of an online teacher.
    """
    if not examples:
        return None
    count = len(examples)
    by_teacher = [outputs[start : start + count] for start in range(0, len(outputs), count)]
    sets = [
        TrainingSet(examples=file, outputs=list(of_teachers), repeats=times)
        for file, times, *of_teachers in zip(examples, repeats.values(), *by_teacher, strict=True)
    ]
    return TrainingPlan(sets=sets, soft_targets=soft_targets, teacher=teacher)


def folder_of(teacher: list[Path]) -> Path | None:
    """Folder of the online teacher, if there is one."""
    return teacher[0].parent if teacher else None
