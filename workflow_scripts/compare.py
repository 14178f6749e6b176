"""Rule `compare`: all measurements of a task's models, as tables and figures."""

from pathlib import Path

from constrictor.comparison.compare import compare
from constrictor.comparison.row import Comparison
from workflow_scripts._script import json_of, parser, run


def main(settings: Comparison, task: Path, results: Path, subsets: list[Path], output: Path) -> None:
    """Write the tables and the figures."""
    compare(settings, task, results, output, subsets)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument(
        "--settings", type=json_of(Comparison), required=True, help="the comparison's settings as JSON"
    )
    arguments.add_argument("--task", type=Path, required=True, help="the prepared task's manifest")
    arguments.add_argument("--results", type=Path, required=True, help="the folder results/<study>/<task>")
    arguments.add_argument("--subsets", type=Path, nargs="*", default=[], help="subsets that models were trained on")
    arguments.add_argument("--output", type=Path, required=True, help="the folder to write to")
    run(main, arguments.parse_args())
