"""Rule `prune`: remove the least important weights, and fine-tune the rest."""

from pathlib import Path

from constrictor.compression.pruning.prune import prune
from constrictor.study.steps.prune import AnyPrune
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.node import TaskFolder
from workflow_scripts._script import json_of, parser, run
from workflow_scripts._training import add_compression_arguments, node_of, set_threads


def main(
    settings: AnyPrune,
    parent: Path,
    calibration: list[Path],
    plan: TrainingPlan | None,
    task: Path,
    validation: Path,
    output: Path,
    seed: int,
    code: str,
    threads: int,
) -> None:
    """Prune, fine-tune for recovery, and save what is best on validation."""
    set_threads(threads)
    prune(settings, parent.parent, calibration, plan, TaskFolder(task, validation), node_of(output, seed, code))


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(AnyPrune), required=True, help="the step's settings as JSON")
    add_compression_arguments(arguments)
    run(main, arguments.parse_args(), gpu=True)
