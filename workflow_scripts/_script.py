"""What every script does alike: set up the log, run, and end with a message instead of a traceback on a user's mistake."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from constrictor.errors import ConstrictorError
from constrictor.progress import configure_logging


def json_of(kind: Any) -> Callable[[str], Any]:
    """An argument's type: JSON text of a settings model."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def parse(text: str) -> Any:
        return adapter.validate_json(text)

    return parse


def parser(main: Callable[..., None]) -> argparse.ArgumentParser:
    """A parser whose help is the script's docstring."""
    return argparse.ArgumentParser(description=main.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)


def run(main: Callable[..., None], arguments: argparse.Namespace) -> None:
    """Call ``main`` with the parsed arguments. A user's mistake ends the process with code 1 and its message."""
    configure_logging()
    try:
        main(**vars(arguments))
    except ConstrictorError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


def node_folder(manifest: Path) -> Path:
    """The folder of a node, from the path of its manifest ``<node>/model/manifest.json``."""
    return manifest.parent.parent
