"""Rule `make_folds`: split a prepared task into folds for cross-validation."""

from pathlib import Path

from constrictor.progress import announce
from constrictor.study.replicate import Folding
from constrictor.tasks.folds import make_folds
from workflow_scripts._script import json_of, parser, run


def main(settings: Folding, task: Path) -> None:
    """Write a folder a fold beside the task's manifest."""
    for number, rows in enumerate(make_folds(settings, task.parent)):
        announce(f"fold {number}: " + ", ".join(f"{count} {split}" for split, count in rows.items()))


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Folding), required=True, help="how to split, as JSON")
    arguments.add_argument("--task", type=Path, required=True, help="the prepared task's manifest")
    run(main, arguments.parse_args())
