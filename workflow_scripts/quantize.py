"""Rule `quantize`: store a model's weights in fewer bits."""

from pathlib import Path

from constrictor.compression.quantization.quantize import quantize
from constrictor.progress import announce
from constrictor.study.steps.quantize import Quantize
from workflow_scripts._script import json_of, node_folder, parser, run


def main(settings: Quantize, parent: Path, output: Path) -> None:
    """Write the quantized artifact."""
    manifest = quantize(settings, parent.parent, output.parent, node_folder(output).name)
    announce(f"{manifest.format} in {manifest.precision}: {manifest.bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Quantize), required=True, help="the step's settings as JSON")
    arguments.add_argument("--parent", type=Path, required=True, help="manifest of the model to quantize")
    arguments.add_argument("--output", type=Path, required=True, help="the manifest to write")
    run(main, arguments.parse_args())
