"""What the scripts of the stages that train share: their arguments, and where they work."""

from __future__ import annotations

import argparse
from pathlib import Path

from constrictor.study.training_plan import TrainingPlan
from constrictor.training.node import Node
from workflow_scripts._script import json_of, node_folder


def add_training_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the arguments that all these scripts have."""
    arguments.add_argument(
        "--plan",
        type=json_of(TrainingPlan | None),
        required=True,
        help="the training plan as JSON; null for no training",
    )
    arguments.add_argument("--task", type=Path, required=True, help="the prepared task's manifest")
    arguments.add_argument("--validation", type=Path, required=True, help="the validation examples")
    arguments.add_argument("--output", type=Path, required=True, help="the manifest to write")
    arguments.add_argument("--seed", type=int, required=True, help="seed of the replicate")
    arguments.add_argument("--code", default="", help="digest of the code; checkpoints of other code are not resumed")
    arguments.add_argument("--threads", type=int, default=0, help="threads to compute with; 0 takes all cores")


def add_compression_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the arguments of the stages that compress a model and may train it afterwards."""
    arguments.add_argument("--parent", type=Path, required=True, help="manifest of the model to compress")
    arguments.add_argument(
        "--calibration", type=Path, nargs="*", default=[], help="examples that the method calibrates on"
    )
    add_training_arguments(arguments)


def node_of(output: Path, seed: int, code: str) -> Node:
    """The place in the tree of models that a manifest belongs to."""
    folder = node_folder(output)
    return Node(folder, folder.name, seed, code)


def set_threads(threads: int) -> None:
    """Let torch compute with as many threads as the job has; 0 leaves its default."""
    import torch

    if threads:
        torch.set_num_threads(threads)
