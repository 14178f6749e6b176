"""Rule `finetune`: train a model on a task's labels."""

from pathlib import Path

from constrictor.study.steps.finetune import Finetune
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.finetune import finetune
from constrictor.training.node import TaskFolder
from workflow_scripts._script import json_of, parser, run
from workflow_scripts._training import add_training_arguments, node_of, set_threads


def main(
    settings: Finetune,
    start: Path,
    plan: TrainingPlan,
    task: Path,
    validation: Path,
    output: Path,
    seed: int,
    code: str,
    threads: int,
) -> None:
    """Fine-tune and save the epoch that is best on validation."""
    set_threads(threads)
    finetune(settings, start.parent, plan, TaskFolder(task, validation), node_of(output, seed, code))


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Finetune), required=True, help="the step's settings as JSON")
    arguments.add_argument("--start", type=Path, required=True, help="manifest of the model to start from")
    add_training_arguments(arguments)
    run(main, arguments.parse_args(), gpu=True)
