"""Rule `export`: write a model in another runtime's format."""

from pathlib import Path

from constrictor.compression.export.export import export
from constrictor.progress import announce
from constrictor.study.steps.export import Export
from workflow_scripts._script import json_of, node_folder, parser, run


def main(settings: Export, parent: Path, examples: Path, output: Path) -> None:
    """Write the exported artifact if its outputs agree with its parent's."""
    manifest = export(settings, parent.parent, examples, output.parent, node_folder(output).name)
    parity, rewrites = manifest.details["parity"], manifest.details.get("rewrites")
    if rewrites:
        tried = ", ".join(f"{name} x{found['speedup']}" for name, found in rewrites["tried"].items())
        announce(f"rewrites kept: {rewrites['kept']} ({tried or rewrites['reason']})")
    if manifest.format == "openvino":
        announce(f"runs in {manifest.precision} on this processor ({settings.precision} requested)")
    announce(f"largest difference of an output {parity['max_difference']:.1e} on {parity['inputs']} inputs")


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(Export), required=True, help="the step's settings as JSON")
    arguments.add_argument("--parent", type=Path, required=True, help="manifest of the model to export")
    arguments.add_argument("--examples", type=Path, required=True, help="examples to compare the two on")
    arguments.add_argument("--output", type=Path, required=True, help="the manifest to write")
    run(main, arguments.parse_args())
