"""Lines that Snakemake writes in every round of its scheduler, and one of which is enough."""

from __future__ import annotations

import logging


class FirstOnly(logging.Filter):
    """Lets the first of all records with a text pass.

    >>> once = FirstOnly("Will exit")
    >>> [once.filter(logging.makeLogRecord({"msg": text})) for text in ("Will exit.", "other", "Will exit.", "other")]
    [True, True, False, True]
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._seen = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record passes."""
        if self._text not in str(record.msg):
            return True
        first, self._seen = not self._seen, True
        return first
