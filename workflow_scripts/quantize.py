"""Rules `quantize` and `quantize_aware`: store a model's weights in fewer bits, or train it for that."""

from pathlib import Path

from constrictor.compression.quantization.quantize import quantize
from constrictor.progress import announce
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.study.training_plan import TrainingPlan
from constrictor.training.node import TaskFolder
from workflow_scripts._script import format_of, json_of, parser, run
from workflow_scripts._training import add_compression_arguments, node_of, set_threads


def main(
    settings: AnyQuantize,
    parent: Path,
    calibration: list[Path],
    plan: TrainingPlan | None,
    task: Path,
    validation: Path,
    output: Path,
    seed: int,
    code: str,
    threads: int,
) -> None:
    """Write the quantized artifact."""
    if format_of(parent) != "onnx":  # ONNX Runtime takes its threads otherwise, and torch is not imported for it
        set_threads(threads)
    manifest = quantize(
        settings,
        parent.parent,
        node_of(output, seed, code),
        task=TaskFolder(task, validation),
        calibration=calibration[0] if calibration else None,
        plan=plan,
    )
    announce(f"{manifest.format} in {manifest.precision}: {manifest.bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(AnyQuantize), required=True, help="the step's settings as JSON")
    add_compression_arguments(arguments)
    parsed = arguments.parse_args()
    run(main, parsed, gpu=parsed.settings.uses_gpu)
