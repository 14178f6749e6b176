"""Normalize text as a task's or corpus's settings require."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import partial

from constrictor.errors import ConstrictorError
from constrictor.study.text_processing import Normalise

_MENTION = re.compile(r"(?<!\S)@\S+")
_LINK = re.compile(r"(?<!\S)http\S*")
# Repaired mojibake may look like mojibake once more; no text is known that needs a third pass.
_MOST_PASSES = 5


def normaliser(settings: Normalise) -> Callable[[str], str]:
    """A function that normalises a text; what it gives, it would not change again.

    Raises:
        ConstrictorError: if the package that a setting needs is not installed.

    >>> normaliser(Normalise(unicode="NFKC", tweets=True, whitespace=True))("ﬁne \\n @Ann, see https://a.bc/d ")
    'fine @user see http'
    """
    steps = list(_steps(settings))

    def normalise(text: str) -> str:
        for _ in range(_MOST_PASSES):
            before = text
            for step in steps:
                text = step(text)
            if text == before:
                break
        return text

    return normalise


def _steps(settings: Normalise) -> Iterable[Callable[[str], str]]:
    if settings.bengali:
        yield _bengali()
    if settings.unicode:
        yield partial(unicodedata.normalize, settings.unicode)
    if settings.tweets:
        yield lambda text: _LINK.sub("http", _MENTION.sub("@user", text))
    if settings.whitespace:
        yield lambda text: " ".join(text.split())


def _bengali() -> Callable[[str], str]:
    try:
        from normalizer import normalize
    except ImportError:
        raise ConstrictorError(
            "'normalise: {bengali: true}' needs the package csebuetnlp-normalizer. Install it with: "
            "pip install csebuetnlp-normalizer"
        ) from None
    return normalize
