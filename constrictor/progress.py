"""Progress that a person can follow: a line goes to the log and, where it matters to somebody who waits, to the screen."""

from __future__ import annotations

import logging
import sys
import time

log = logging.getLogger("constrictor")


def announce(message: str) -> None:
    """Write a line to the log and the screen (scripts send standard error to the log)."""
    log.info(message)
    print(f"    {message}", flush=True)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._start


def format_seconds(seconds: float) -> str:
    """A duration for people.

    >>> format_seconds(75.4), format_seconds(8.04), format_seconds(3700)
    ('1 min 15 s', '8.0 s', '1 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def configure_logging() -> None:
    """Send log lines with their time to standard error."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for noisy in ("httpx", "httpx2", "torch.onnx", "onnxscript", "onnx_ir", "datasets", "accelerate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
