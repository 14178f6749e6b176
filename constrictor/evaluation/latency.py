"""Speed and memory of an artifact as it would be shipped, measured in turn with its baselines.

Each model lives in a process of its own, loaded from disk. Machines drift, so the models take turns: in every round each
is timed on each shape, and a speed-up is the median over the rounds of the ratio within a round. While one is timed, the
others wait on a pipe and use no processor time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from constrictor.artifacts.manifest import read_manifest
from constrictor.artifacts.writing import write_text
from constrictor.data.batching import Text
from constrictor.data.examples import read_examples
from constrictor.errors import ConstrictorError
from constrictor.machine import processor
from constrictor.progress import announce
from constrictor.runtimes.load import Variant
from constrictor.study.study import Latency

Shape = tuple[int, int | str]
"""Batch size and length in tokens, or `task` for texts as they are."""

Times = dict[str, list[list[float]]]
"""Milliseconds, a list a round, by model."""

COLD_STARTS = 2
TEXTS = 64
# ONNX Runtime's threads spin for some milliseconds after a call and would steal time from whoever is measured next.
SETTLE_SECONDS = 0.03


class Worker:
    """A process that holds one artifact. Use it in a ``with`` block."""

    def __init__(self, folder: Path, texts: Sequence[Text], threads: int, variant: Variant = "sdpa") -> None:
        """Start the process and wait for its first answer.

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
        self._ask({"texts": list(texts)})
        self.cold_start_seconds = time.perf_counter() - start
        self.peak_bytes = 0

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

    def time(self, batch: int, length: int | str, seconds: float) -> list[float]:
        """Milliseconds of each call, for about so many seconds, at least once over all inputs of the shape."""
        time.sleep(SETTLE_SECONDS)
        answer = self._ask({"batch": batch, "length": length, "seconds": seconds})
        self.peak_bytes = answer["peak_bytes"]
        return answer["ms"]

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
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
                "(-9 means killed, most often for want of memory). Its message, if it left one, stands above."
            )
        return json.loads(line)


def measure_latency(
    artifact: Path,
    baselines: dict[str, Path],
    task: Path,
    settings: Latency,
    target: Path,
    threads: int,
    variant: Variant = "sdpa",
) -> None:
    """Write ``latency.json``: size, cold start, peak memory, and for each shape latency and speed-ups.

    Args:
        artifact: the artifact's folder.
        baselines: folders of the models to take turns with, by what they are called in the report.
        task: folder of the prepared task: inputs are made of its validation texts.
        settings: shapes, rounds and seconds.
        target: the file to write.
        threads: threads that the job has.
        variant: how torch models compute: what was found fastest for the baseline.

    Raises:
        ConstrictorError: if an artifact is damaged or a process dies.
    """
    manifest = read_manifest(artifact)
    texts = read_texts(task)
    shapes = shapes_to_time(settings, manifest.trained_for()[1])
    folders = {"": artifact, **baselines}
    cold_starts = []
    for _ in range(COLD_STARTS - 1):
        with Worker(artifact, texts, threads, variant) as worker:
            cold_starts.append(worker.cold_start_seconds)
    summaries: list[dict[str, Any]] = []
    memory: dict[str, int] = {}
    for count in dict.fromkeys(number or threads for number in settings.threads):
        with ExitStack() as stack:
            workers = {
                name: stack.enter_context(Worker(folder, texts, count, variant)) for name, folder in folders.items()
            }
            times = take_turns(workers, shapes, settings)
            if not memory:
                cold_starts.append(workers[""].cold_start_seconds)
                memory = {name: worker.peak_bytes for name, worker in workers.items()}
        summaries += [_summary(shape, count, times[shape]) for shape in shapes]
    found: dict[str, Any] = {
        "file_bytes": manifest.bytes,
        "parameters": manifest.parameters,
        "nonzero_parameters": manifest.nonzero_parameters,
        "cold_start_seconds": round(float(np.median(cold_starts)), 3),
        "peak_memory_bytes": memory[""],
        "baseline_peak_memory_bytes": {name: memory[name] for name in baselines},
        "threads": threads,
        "processor": processor(),
        "rounds": settings.rounds,
        "torch_variant": variant,
        "shapes": summaries,
    }
    write_text(target, json.dumps(found, indent=2) + "\n")
    first = found["shapes"][0]
    speedups = ", ".join(f"{ratio:.1f} times as fast as {name}" for name, ratio in first["speedup"].items())
    announce(f"batch {first['batch']}, length {first['length']}: {first['p50_ms']:.2f} ms; {speedups}")


def read_texts(task: Path) -> list[Text]:
    """The validation texts that inputs are made of."""
    return read_examples(task / "validation.parquet").texts[:TEXTS]


def shapes_to_time(settings: Latency, max_length: int) -> list[Shape]:
    """The shapes of the study that fit into a task's longest input.

    Raises:
        ConstrictorError: if none does.
    """
    lengths = [length for length in settings.lengths if length == "task" or length <= max_length]
    if not lengths:
        raise ConstrictorError(
            f"all lengths in 'report.latency' are above the task's max_length of {max_length} tokens."
        )
    return [(batch, length) for batch in settings.batch_sizes for length in lengths]


def take_turns(workers: dict[str, Worker], shapes: Sequence[Shape], settings: Latency) -> dict[Shape, Times]:
    """Time every worker on every shape in every round."""
    times: dict[Shape, Times] = {shape: {name: [] for name in workers} for shape in shapes}
    for shape in shapes:
        for worker in workers.values():
            worker.time(*shape, seconds=0)  # warm-up
    for _ in range(settings.rounds):
        for shape in shapes:
            for name, worker in workers.items():
                times[shape][name].append(worker.time(*shape, seconds=settings.seconds))
    return times


def _summary(shape: Shape, threads: int, times: Times) -> dict[str, Any]:
    batch, length = shape
    own = np.concatenate(times[""])
    p50, p95 = np.percentile(own, [50, 95])
    baselines = [name for name in times if name]
    ratios = {name: round_ratios(times[name], times[""]) for name in baselines}
    return {
        "batch": batch,
        "length": length,
        "threads": threads,
        "p50_ms": round(float(p50), 4),
        "p95_ms": round(float(p95), 4),
        "calls": len(own),
        "examples_per_second": round(batch / float(p50) * 1000, 1),
        "speedup": {name: round(float(np.median(ratios[name])), 3) for name in baselines},
        "speedup_range": {name: [round(min(ratios[name]), 3), round(max(ratios[name]), 3)] for name in baselines},
        "baseline_p50_ms": {name: round(float(np.median(np.concatenate(times[name]))), 4) for name in baselines},
    }


def round_ratios(baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]) -> list[float]:
    """For each round, how many times as fast the candidate is: the ratio of the medians.

    >>> round_ratios([[4.0, 4.0], [9.0]], [[2.0, 2.0], [3.0]])
    [2.0, 3.0]
    """
    return [float(np.median(old) / np.median(new)) for old, new in zip(baseline, candidate, strict=True)]
