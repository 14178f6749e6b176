"""What all scripts share: types of arguments, the log, and a message instead of a traceback on a user's mistake."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from constrictor.errors import ConstrictorError
from constrictor.files.reading import read_object
from constrictor.machine import GPU_FORMATS, format_machine
from constrictor.progress import configure_logging, log
from constrictor.scheduling.gpu_lease import lease_gpu


def json_of(kind: Any) -> Callable[[str], Any]:
    """An argument's type: JSON text of a settings model, or `@` and a file with it. A mistake is reported in pydantic's words."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def parse(text: str) -> Any:
        try:
            return adapter.validate_json(Path(text[1:]).read_bytes() if text.startswith("@") else text)
        except (ValidationError, OSError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


class NamedFiles(argparse.Action):
    """An argument's action: ``NAME=FILE ...`` as a dictionary."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the files by their names."""
        pairs = [str(value).partition("=") for value in values or []]
        if wrong := next((name for name, sign, _ in pairs if not sign), None):
            parser.error(f"argument {option_string}: {wrong!r} is not NAME=FILE")
        setattr(namespace, self.dest, {name: Path(file) for name, _, file in pairs})


def parser(main: Callable[..., None]) -> argparse.ArgumentParser:
    """A parser whose help is the script's docstring."""
    return argparse.ArgumentParser(description=main.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)


def run(main: Callable[..., None], arguments: argparse.Namespace, gpu: bool = False) -> None:
    """Call ``main`` with the parsed arguments. A user's mistake ends the process with code 1 and its message.

    Args:
        main: the script's function.
        arguments: its keyword arguments.
        gpu: whether it computes on a GPU where there is one: it then waits for a free one.
    """
    configure_logging()
    try:
        if gpu:
            lease_gpu()
        main(**vars(arguments))
        log.info("this machine: %s", format_machine())  # `make explain` reads it
    except ConstrictorError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:  # Ctrl-C reaches the jobs too
        print("Interrupted. The same command goes on from here.", file=sys.stderr)
        sys.exit(130)  # 128 + SIGINT, as in shells


def format_of(manifest: Path) -> str | None:
    """A model's format; None if its manifest cannot be read, which opening the model reports."""
    return read_object(manifest).get("format")


def moves_to_gpu(manifest: Path) -> bool:
    """Whether a model computes on a GPU."""
    return format_of(manifest) in GPU_FORMATS


def node_folder(manifest: Path) -> Path:
    """The folder of a node, from the path of its manifest ``<node>/model/manifest.json``."""
    return manifest.parent.parent
