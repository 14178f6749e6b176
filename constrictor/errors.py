"""The one exception for what a user can put right, and the phrases that its messages share."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class ConstrictorError(Exception):
    """Something that the user can mend: the message states what is wrong, where, and what to do.

    Scripts and the workflow print its message without a traceback. Everything else that is raised is our own
    mistake and keeps its traceback.
    """


class StudyMistake(ConstrictorError):
    """A mistake at one place of a study.

    Attributes:
        path: the keys that lead there.
        message: what is wrong, and what to do.
    """

    def __init__(self, path: Sequence[str | int], message: str) -> None:
        super().__init__(f"{'.'.join(map(str, path))}: {message}")
        self.path, self.message = tuple(path), message


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the process with a user's mistake alone, and code 1; no traceback, no word of ours around it."""
    try:
        yield
    except ConstrictorError as error:
        sys.exit(f"Error: {error}")


def nearest(name: object, known: Iterable[str]) -> str:
    """List the known names that come closest to ``name``, as a sentence for the end of a message.

    >>> nearest("magnitud", ["magnitude", "wanda"])
    "Did you mean 'magnitude'? Known: magnitude, wanda."
    >>> nearest("x", [])
    'None is defined.'
    """
    names = sorted(known)
    if not names:
        return "None is defined."
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    guess = f"Did you mean '{close[0]}'? " if close else ""
    return f"{guess}Known: {', '.join(names)}."
