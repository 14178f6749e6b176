"""Rule `prune`: remove what matters least and let the rest recover."""

from pathlib import Path
from typing import Any

from constrictor.compression.pruning.prune import prune
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.prune import AnyPrune
from workflow_scripts._script import json_of, parser, run
from workflow_scripts._training import (
    TrainingPlace,
    add_recovery_arguments,
    add_training_arguments,
    folder_of,
    plan_of,
)


def main(
    settings: AnyPrune,
    parent: Path,
    calibration: list[Path],
    examples: list[Path],
    outputs: list[Path],
    soft_targets: SoftTargets | None,
    teacher: list[Path],
    **place: Any,
) -> None:
    """Prune, recover and save what is best on validation."""
    here = TrainingPlace(**place)
    here.set_threads()
    plan = plan_of(examples, outputs, settings.train_on, soft_targets, folder_of(teacher))
    prune(settings, parent.parent, calibration, plan, here.task_folder, here.node)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(AnyPrune), required=True, help="the step's settings as JSON")
    arguments.add_argument("--parent", type=Path, required=True, help="manifest of the model to prune")
    add_recovery_arguments(arguments)
    add_training_arguments(arguments)
    run(main, arguments.parse_args(), gpu=True)
