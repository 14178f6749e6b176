"""Rule `fair_baseline`: find the way of computing in which the float32 baseline is fastest."""

from pathlib import Path

from constrictor.evaluation.fair_baseline import find_fair_baseline
from constrictor.study.report import Latency
from workflow_scripts._script import NamedFiles, json_of, parser, run


def main(settings: Latency, baselines: dict[str, Path], examples: Path, output: Path, threads: int) -> None:
    """Time the torch baseline in every variant, and the other baselines."""
    folders = {name: manifest.parent for name, manifest in baselines.items()}
    find_fair_baseline(folders, examples, settings, output, threads)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Latency), required=True, help="the shapes and rounds as JSON")
    arguments.add_argument(
        "--baselines",
        action=NamedFiles,
        nargs="+",
        required=True,
        metavar="NAME=MANIFEST",
        help="the models that others are compared with, the torch model first",
    )
    arguments.add_argument("--examples", type=Path, required=True, help="examples to make inputs of")
    arguments.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("--threads", type=int, required=True, help="threads to compute with")
    run(main, arguments.parse_args(), gpu=True)
