"""Keys of the first edition that have a new name. A study that still has one is refused with the new name."""

from __future__ import annotations

from collections.abc import Container

RENAMED = {
    "on": "train_on",
    "held_out_ngram": "decontamination_ngram",
    "extra_tests": "extra_test_sets",
    "max_difference": "tolerance",
    "atol": "tolerance",
}


def renamed(key: str, allowed: Container[str] = frozenset(RENAMED.values())) -> str | None:
    """The message for a renamed key; None if the key is no old name of an allowed one.

    >>> renamed("on")
    "'on' is now called 'train_on'."
    >>> renamed("on", allowed=["lr", "epochs"]) is None
    True
    """
    new = RENAMED.get(key)
    return f"'{key}' is now called '{new}'." if new in allowed else None
