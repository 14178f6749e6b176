"""Rule `quantize`: store a model's weights in fewer bits."""

from pathlib import Path
from typing import Any

from constrictor.compression.quantization.quantize import quantize
from constrictor.progress import announce
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.study.steps.recovery import Recovery
from workflow_scripts._script import format_of, json_of, parser, run
from workflow_scripts._training import (
    TrainingPlace,
    add_recovery_arguments,
    add_training_arguments,
    folder_of,
    plan_of,
)


def main(
    settings: AnyQuantize,
    parent: Path,
    calibration: list[Path],
    examples: list[Path],
    outputs: list[Path],
    soft_targets: SoftTargets | None,
    teacher: list[Path],
    **place: Any,
) -> None:
    """Write the quantized artifact."""
    here = TrainingPlace(**place)
    if format_of(parent) != "onnx":  # whose runtime takes its threads otherwise
        here.set_threads()
    repeats = settings.train_on if isinstance(settings, Recovery) else {}
    manifest = quantize(
        settings,
        parent.parent,
        here.node,
        task=here.task_folder,
        calibration=calibration[0] if calibration else None,
        plan=plan_of(examples, outputs, repeats, soft_targets, folder_of(teacher)),
    )
    announce(f"{manifest.format} in {manifest.precision}: {manifest.bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(AnyQuantize), required=True, help="the step's settings as JSON")
    arguments.add_argument("--parent", type=Path, required=True, help="manifest of the model to quantize")
    add_recovery_arguments(arguments)
    add_training_arguments(arguments)
    parsed = arguments.parse_args()
    run(main, parsed, gpu=parsed.settings.uses_gpu)
