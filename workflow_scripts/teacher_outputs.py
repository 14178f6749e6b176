"""Rule `teacher_outputs`: a model's outputs on a subset, for the training of its students."""

from pathlib import Path

from constrictor.evaluation.teacher_outputs import teacher_outputs
from workflow_scripts._script import moves_to_gpu, parser, run


def main(teacher: Path, examples: Path, output: Path, threads: int) -> None:
    """Write ids, labels and the teacher's logits."""
    teacher_outputs(teacher.parent, examples, output, threads)


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--teacher", type=Path, required=True, help="the teacher's manifest")
    arguments.add_argument("--examples", type=Path, required=True, help="the examples to label")
    arguments.add_argument("--output", type=Path, required=True, help="the Parquet file to write")
    arguments.add_argument("--threads", type=int, default=0, help="threads to compute with; 0 takes all cores")
    parsed = arguments.parse_args()
    run(main, parsed, gpu=moves_to_gpu(parsed.teacher))
