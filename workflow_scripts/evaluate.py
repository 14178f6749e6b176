"""Rule `evaluate`: quality of a saved artifact on validation, test and further test sets."""

from pathlib import Path

from constrictor.evaluation.evaluate import evaluate
from workflow_scripts._script import NamedFiles, moves_to_gpu, parser, run


def main(
    model: Path,
    task: Path,
    splits: dict[str, Path],
    extra_test_sets: dict[str, Path],
    metrics: Path,
    predictions: Path,
    threads: int,
) -> None:
    """Load the artifact anew and write metrics and predictions."""
    evaluate(model.parent, task, splits, metrics, predictions, threads, extra_test_sets)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--model", type=Path, required=True, help="the artifact's manifest")
    arguments.add_argument("--task", type=Path, required=True, help="the prepared task's manifest")
    arguments.add_argument(
        "--splits",
        action=NamedFiles,
        nargs="+",
        required=True,
        metavar="NAME=FILE",
        help="validation and test examples",
    )
    arguments.add_argument(
        "--extra-test-sets", action=NamedFiles, nargs="*", default={}, metavar="NAME=FILE", help="further test sets"
    )
    arguments.add_argument("--metrics", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("--predictions", type=Path, required=True, help="the Parquet file to write")
    arguments.add_argument("--threads", type=int, default=0, help="threads to compute with; 0 takes all cores")
    parsed = arguments.parse_args()
    run(main, parsed, gpu=moves_to_gpu(parsed.model))
