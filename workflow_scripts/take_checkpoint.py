"""Rule `take_checkpoint`: begin a recipe with a fine-tuned checkpoint as it is."""

from pathlib import Path

from constrictor.progress import announce
from constrictor.study.steps.checkpoint import Checkpoint
from constrictor.training.node import TaskFolder
from constrictor.training.take_checkpoint import take_checkpoint
from workflow_scripts._script import json_of, parser, run
from workflow_scripts._training import node_of


def main(settings: Checkpoint, start: Path, task: Path, validation: Path, output: Path, seed: int) -> None:
    """Save a checkpoint as a model of the task, its outputs in the order of the task's labels."""
    where = node_of(output, seed, code="")
    manifest = take_checkpoint(settings, start.parent, TaskFolder(task, validation), where)
    own = manifest.details.get("outputs_of_checkpoint")
    if own:
        announce(
            f"the head's outputs are {', '.join(own)}; the task's labels: {', '.join(manifest.trained_for().labels)}"
        )


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Checkpoint), required=True, help="the step's settings as JSON")
    arguments.add_argument("--start", type=Path, required=True, help="manifest of the checkpoint")
    arguments.add_argument("--task", type=Path, required=True, help="the prepared task's manifest")
    arguments.add_argument("--validation", type=Path, required=True, help="the validation examples")
    arguments.add_argument("--output", type=Path, required=True, help="the manifest to write")
    arguments.add_argument("--seed", type=int, required=True, help="seed of the replicate")
    run(main, arguments.parse_args())
