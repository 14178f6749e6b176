"""The one exception for what a user can put right, and the wording that its messages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConstrictorError(Exception):
    """Something that the user can mend: the message says what is wrong, where, and what to do.

    Scripts and the workflow print its message without a traceback. Everything else that is raised is our own
    mistake and keeps its traceback.
    """


def nearest(name: object, known: Iterable[str]) -> str:
    """Say which known names come closest to ``name``, as a sentence for the end of a message.

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
