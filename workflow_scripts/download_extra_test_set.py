"""Rule `download_extra_test_set`: read and check a further test set of a task."""

from pathlib import Path

from constrictor.progress import announce
from constrictor.study.tasks import AnyTask
from constrictor.tasks.extra_test_sets import prepare_extra_test
from workflow_scripts._script import json_of, parser, run


def main(settings: AnyTask, name: str, task: Path, output: Path) -> None:
    """Write the test set's examples."""
    counts = prepare_extra_test(settings, name, task.parent, output)
    rows = counts.pop("rows")
    dropped = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    announce(f"{rows} examples (dropped: {dropped})")


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(AnyTask), required=True, help="the task's settings as JSON")
    arguments.add_argument("--name", required=True, help="name of the extra test set")
    arguments.add_argument("--task", type=Path, required=True, help="the prepared task's manifest")
    arguments.add_argument("--output", type=Path, required=True, help="the Parquet file to write")
    run(main, arguments.parse_args())
