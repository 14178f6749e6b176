"""Command `make explain`: where an output of a study came from, and how to make it again."""

import argparse
import os
from pathlib import Path

from constrictor.errors import exit_on_user_error
from constrictor.scheduling.explain import explain


def main(file: Path) -> None:
    """Print how a file was made."""
    print(explain(Path(os.path.relpath(file))))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path, help="an output, as results/quickstart/…/metrics.json")
    with exit_on_user_error():
        main(**vars(arguments.parse_args()))
