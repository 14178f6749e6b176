"""Rule `distil`: train a student on a teacher's cached outputs."""

from pathlib import Path
from typing import Any

from constrictor.study.steps.distil import Distil
from constrictor.training.distil import distil
from workflow_scripts._script import json_of, parser, run
from workflow_scripts._training import TrainingPlace, add_data_arguments, add_training_arguments, plan_of


def main(
    settings: Distil, teacher: Path, student: Path, examples: list[Path], outputs: list[Path], **place: Any
) -> None:
    """Distil and save the epoch that is best on validation."""
    here = TrainingPlace(**place)
    here.set_threads()
    online = teacher.parent if settings.needs_online_teacher else None
    plan = plan_of(examples, outputs, settings.train_on, settings, online)
    assert plan is not None, "a distillation reads one training set or more"
    distil(settings, teacher.parent, student.parent, plan, here.task_folder, here.node)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Distil), required=True, help="the step's settings as JSON")
    arguments.add_argument("--teacher", type=Path, required=True, help="the teacher's manifest")
    arguments.add_argument("--student", type=Path, required=True, help="manifest of what the student starts from")
    add_data_arguments(arguments)
    add_training_arguments(arguments)
    run(main, arguments.parse_args(), gpu=True)
