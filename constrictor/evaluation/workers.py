"""Processes that hold an artifact each, loaded from disk, and are timed in turn.

Machines drift, so the models take turns: in every round each is timed on each shape. While one is timed, the others wait
on a pipe and use no processor time. What runs in the processes is :mod:`constrictor.evaluation.latency_worker`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from constrictor.data.batching import Text
from constrictor.data.examples import read_examples
from constrictor.errors import ConstrictorError
from constrictor.runtimes.load import Variant
from constrictor.runtimes.timing import SETTLE_SECONDS
from constrictor.study.report import Latency

Shape = tuple[int, int | str]
"""Batch size and length in tokens, or `task` for texts as they are."""


class Turn(NamedTuple):
    """What a model did in its turn.

    Attributes:
        milliseconds: of each call.
        waiting: share of its time that the process was ready to compute and waited for a processor.
    """

    milliseconds: list[float]
    waiting: float


Times = dict[str, list[Turn]]
"""The turns of each model, one a round."""

INPUTS = 64


class Worker:
    """A process that holds one artifact. Use it in a ``with`` block."""

    def __init__(self, folder: Path, texts: Sequence[Text], threads: int, variant: Variant = "sdpa") -> None:
        """Start the process and wait for its first prediction.

        Args:
            folder: the artifact's folder.
            texts: real texts to make inputs from.
            threads: threads to compute with.
            variant: how a torch model computes.

        Raises:
            ConstrictorError: if the process ends before it answers.
        """
        self.folder = folder
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
        environment.pop("GOMP_SPINCOUNT", None)  # the runtimes' own default, as in a service
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "constrictor.evaluation.latency_worker", str(folder), str(threads), variant],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._request({"texts": list(texts)})
        self.cold_start_seconds = time.perf_counter() - start
        self.peak_bytes = 0
        self._warm: set[Shape] = set()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # a dead process leaves its last command in the buffer
            self._process.stdin.close()
        self._process.stdout.close()
        if self._process.wait() != 0 and error[0] is None:
            raise ConstrictorError(f"the process that timed {self.folder} failed: its message stands above.")

    def warm_up(self, shape: Shape) -> None:
        """Compute a shape for the first time, which takes longer than later times."""
        if shape not in self._warm:
            self.time(*shape, seconds=0)
            self._warm.add(shape)

    def time(self, batch: int, length: int | str, seconds: float) -> Turn:
        """Time calls for about so many seconds, at least once over all inputs of the shape."""
        time.sleep(SETTLE_SECONDS)
        reply = self._request({"batch": batch, "length": length, "seconds": seconds})
        self.peak_bytes = reply["peak_bytes"]
        return Turn(reply["ms"], reply["waiting"])

    def _request(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            raise ConstrictorError(
                f"the process that timed {self.folder} ended with code {self._process.returncode} "
                "(-9 means killed, most often for want of memory). Its message, if it left one, is above."
            )
        return json.loads(line)


def read_inputs(examples: Path) -> list[Text]:
    """The examples' inputs that full batches are made of."""
    return read_examples(examples).texts[:INPUTS]


def shapes_to_time(settings: Latency, max_length: int) -> list[Shape]:
    """The shapes of the study that fit into a task's longest input.

    Raises:
        ConstrictorError: if none does.
    """
    lengths = [length for length in settings.lengths if length == "task" or length <= max_length]
    if not lengths:
        raise ConstrictorError(
            f"all lengths in 'report.latency' are above the task's max_length of {max_length} tokens. "
            "Name one that fits, or 'task' for the texts as they are."
        )
    return [(batch, length) for batch in settings.batch_sizes for length in lengths]


def take_turns(workers: dict[str, Worker], shapes: Sequence[Shape], rounds: int, seconds: float) -> dict[Shape, Times]:
    """Time every worker on every shape in every round.

    Args:
        workers: the workers by name.
        shapes: the shapes.
        rounds: how often each worker has its turn at each shape.
        seconds: duration of a turn.
    """
    times: dict[Shape, Times] = {shape: {name: [] for name in workers} for shape in shapes}
    for shape in shapes:
        for worker in workers.values():
            worker.warm_up(shape)
    for _ in range(rounds):
        for shape in shapes:
            for name, worker in workers.items():
                times[shape][name].append(worker.time(*shape, seconds=seconds))
    return times
