"""Rule `finetune`: train a model on a task's labels."""

from pathlib import Path
from typing import Any

from constrictor.study.steps.finetune import Finetune
from constrictor.study.training_plan import TrainingPlan, TrainingSet
from constrictor.training.finetune import finetune
from workflow_scripts._script import json_of, parser, run
from workflow_scripts._training import TrainingPlace, add_training_arguments


def main(settings: Finetune, start: Path, **place: Any) -> None:
    """Fine-tune and save the epoch that is best on validation."""
    here = TrainingPlace(**place)
    here.set_threads()
    plan = TrainingPlan(sets=[TrainingSet(examples=here.task_folder.folder / "train.parquet")])
    finetune(settings, start.parent, plan, here.task_folder, here.node)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Finetune), required=True, help="the step's settings as JSON")
    arguments.add_argument("--start", type=Path, required=True, help="manifest of the model to start from")
    add_training_arguments(arguments)
    run(main, arguments.parse_args(), gpu=True)
