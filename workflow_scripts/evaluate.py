"""Rule `evaluate`: quality of a saved artifact on validation, test and what else it is tested on."""

from collections.abc import Sequence
from pathlib import Path

from constrictor.evaluation.evaluate import evaluate
from constrictor.study.splits import HELD_OUT
from workflow_scripts._script import moves_to_gpu, parser, run


def main(
    model: Path, task: Path, metrics: Path, predictions: Path, threads: int, extra_test_sets: Sequence[Path] = ()
) -> None:
    """Load the artifact anew and write metrics and predictions."""
    splits = {split: task.with_name(f"{split}.parquet") for split in HELD_OUT}
    further = {file.stem: file for file in extra_test_sets}
    evaluate(model.parent, task, splits, metrics, predictions, threads, further)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--model", type=Path, required=True, help="the artifact's manifest")
    arguments.add_argument("--task", type=Path, required=True, help="the prepared task's manifest")
    arguments.add_argument("--metrics", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("--predictions", type=Path, required=True, help="the Parquet file to write")
    arguments.add_argument(
        "--extra-test-sets", type=Path, nargs="*", default=[], help="further test sets, named by their files"
    )
    arguments.add_argument("--threads", type=int, default=0, help="threads to compute with; 0 takes all cores")
    parsed = arguments.parse_args()
    run(main, parsed, gpu=moves_to_gpu(parsed.model))
