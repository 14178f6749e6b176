"""Rule `distil`: train a student on a teacher's cached logits."""

from pathlib import Path
from typing import Any

from constrictor.study.steps.distil import Distil
from constrictor.training.distil import distil
from workflow_scripts._script import json_of, parser, run
from workflow_scripts._training import TrainingPlace, add_lesson_arguments, add_training_arguments, lessons_of


def main(
    settings: Distil, teacher: Path, student: Path, examples: list[Path], outputs: list[Path], **place: Any
) -> None:
    """Distil and save the epoch that is best on validation."""
    here = TrainingPlace(**place)
    here.set_threads()
    lessons = lessons_of(examples, outputs, settings.train_on)
    distil(settings, teacher.parent, student.parent, lessons, here.task_folder, here.node)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Distil), required=True, help="the step's settings as JSON")
    arguments.add_argument("--teacher", type=Path, required=True, help="the teacher's manifest")
    arguments.add_argument("--student", type=Path, required=True, help="manifest of what the student starts from")
    add_lesson_arguments(arguments)
    add_training_arguments(arguments)
    run(main, arguments.parse_args(), gpu=True)
