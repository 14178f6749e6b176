"""Rule `latency`: speed and memory of an artifact, in turn with its baselines."""

from pathlib import Path

from constrictor.evaluation.fair_baseline import FairBaseline
from constrictor.evaluation.latency import measure_latency
from constrictor.files.reading import read_parsed
from constrictor.study.report import Latency
from workflow_scripts._script import NamedFiles, json_of, parser, run


def main(
    settings: Latency,
    model: Path,
    baselines: dict[str, Path],
    fair_baseline: Path,
    examples: Path,
    output: Path,
    threads: int,
) -> None:
    """Time the artifact and its baselines, each in a process of its own."""
    folders = {name: manifest.parent for name, manifest in baselines.items()}
    fair = read_parsed(fair_baseline, FairBaseline.model_validate_json)
    measure_latency(model.parent, folders, examples, settings, output, threads, fair)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Latency), required=True, help="the shapes and rounds as JSON")
    arguments.add_argument("--model", type=Path, required=True, help="the artifact's manifest")
    arguments.add_argument(
        "--baselines",
        action=NamedFiles,
        nargs="+",
        required=True,
        metavar="NAME=MANIFEST",
        help="models to compare with",
    )
    arguments.add_argument(
        "--fair-baseline",
        type=Path,
        required=True,
        help="record of the fastest torch variant and of the baselines' times",
    )
    arguments.add_argument("--examples", type=Path, required=True, help="examples to make inputs of")
    arguments.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("--threads", type=int, required=True, help="threads to compute with")
    run(main, arguments.parse_args(), gpu=True)
