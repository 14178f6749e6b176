"""Rule `distil`: train a student on its teachers' outputs."""

from pathlib import Path

from constrictor.study.steps.distil import Distil
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.distil import distil
from constrictor.training.node import TaskFolder
from workflow_scripts._script import json_of, parser, run
from workflow_scripts._training import add_training_arguments, node_of, set_threads


def main(
    settings: Distil,
    teacher: Path,
    student: Path,
    plan: TrainingPlan,
    task: Path,
    validation: Path,
    output: Path,
    seed: int,
    code: str,
    threads: int,
) -> None:
    """Distil and save the epoch that is best on validation."""
    set_threads(threads)
    distil(settings, teacher.parent, student.parent, plan, TaskFolder(task, validation), node_of(output, seed, code))


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Distil), required=True, help="the step's settings as JSON")
    arguments.add_argument("--teacher", type=Path, required=True, help="the teacher's manifest")
    arguments.add_argument(
        "--student", type=Path, required=True, help="manifest of the model that the student starts from"
    )
    add_training_arguments(arguments)
    run(main, arguments.parse_args(), gpu=True)
