"""Rule `prune`: set weights to zero and let the others recover."""

from pathlib import Path
from typing import Any

from constrictor.compression.pruning.prune import prune
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.prune import Prune
from workflow_scripts._script import json_of, parser, run
from workflow_scripts._training import TrainingPlace, add_lesson_arguments, add_training_arguments, lessons_of


def main(
    settings: Prune,
    soft_targets: SoftTargets | None,
    parent: Path,
    examples: list[Path],
    outputs: list[Path],
    **place: Any,
) -> None:
    """Prune, recover and save what is best on validation."""
    here = TrainingPlace(**place)
    prune(settings, parent.parent, lessons_of(examples, outputs), soft_targets, here.task_folder, here.node)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Prune), required=True, help="the step's settings as JSON")
    arguments.add_argument("--soft-targets", type=json_of(SoftTargets), help="the recipe's distillation as JSON")
    arguments.add_argument("--parent", type=Path, required=True, help="manifest of the model to prune")
    add_lesson_arguments(arguments)
    add_training_arguments(arguments)
    run(main, arguments.parse_args())
