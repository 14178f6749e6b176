"""Speed and memory of an artifact as it would be shipped, measured in turn with its baselines.

Machines drift, so a speed-up is the median over the rounds of the ratio within a round
(:mod:`constrictor.evaluation.workers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from constrictor.data.batching import Text
from constrictor.evaluation.workers import Shape, Times, Worker, read_inputs, shapes_to_time, take_turns
from constrictor.files.writing import write_json
from constrictor.machine import processor
from constrictor.models.manifest import read_manifest
from constrictor.progress import announce
from constrictor.runtimes.load import Variant
from constrictor.study.report import Latency

COLD_STARTS = 2
_CANDIDATE = ""  # its name among the baselines'


def measure_latency(
    artifact: Path,
    baselines: dict[str, Path],
    examples: Path,
    settings: Latency,
    target: Path,
    threads: int,
    variant: Variant = "sdpa",
) -> None:
    """Write ``latency.json``: size, cold start, peak memory, and for each shape latency and speed-ups.

    Args:
        artifact: the artifact's folder.
        baselines: folders of the models to take turns with, by what they are called in the report.
        examples: Parquet file of examples that inputs are made of.
        settings: shapes, rounds and seconds.
        target: the file to write.
        threads: threads that the job has.
        variant: how torch models compute: what was found fastest for the baseline.

    Raises:
        ConstrictorError: if an artifact is damaged or a process dies.
    """
    manifest = read_manifest(artifact)
    texts = read_inputs(examples)
    shapes = shapes_to_time(settings, manifest.trained_for().max_length)
    folders = {_CANDIDATE: artifact, **baselines}
    cold_starts = _cold_starts(artifact, texts, threads, variant, COLD_STARTS - 1)  # the last one is timed as well
    summaries: list[dict[str, Any]] = []
    memory: dict[str, int] = {}
    for count in dict.fromkeys(number or threads for number in settings.threads):
        with ExitStack() as stack:
            workers = {
                name: stack.enter_context(Worker(folder, texts, count, variant)) for name, folder in folders.items()
            }
            times = take_turns(workers, shapes, settings)
            if not memory:
                cold_starts.append(workers[_CANDIDATE].cold_start_seconds)
                memory = {name: worker.peak_bytes for name, worker in workers.items()}
        summaries += [_summary(shape, count, times[shape]) for shape in shapes]
    found = {
        "file_bytes": manifest.bytes,
        "parameters": manifest.parameters,
        "nonzero_parameters": manifest.nonzero_parameters,
        "cold_start_seconds": round(float(np.median(cold_starts)), 3),
        "peak_memory_bytes": memory[_CANDIDATE],
        "baseline_peak_memory_bytes": {name: memory[name] for name in baselines},
        "threads": threads,
        "processor": processor(),
        "rounds": settings.rounds,
        "torch_variant": variant,
        "shapes": summaries,
    }
    write_json(target, found)
    first = summaries[0]
    speedups = ", ".join(f"{ratio:.1f} times as fast as {name}" for name, ratio in first["speedup"].items())
    announce(f"batch {first['batch']}, length {first['length']}: {first['p50_ms']:.2f} ms; {speedups}")


def _cold_starts(artifact: Path, texts: Sequence[Text], threads: int, variant: Variant, count: int) -> list[float]:
    """Seconds from the start of a process to its first prediction, one process after another."""
    found = []
    for _ in range(count):
        with Worker(artifact, texts, threads, variant) as worker:
            found.append(worker.cold_start_seconds)
    return found


def _summary(shape: Shape, threads: int, times: Times) -> dict[str, Any]:
    """The entry of ``latency.json`` for a shape on a number of threads."""
    batch, length = shape
    own = np.concatenate(times[_CANDIDATE])
    p50, p95 = np.percentile(own, [50, 95])
    baselines = [name for name in times if name != _CANDIDATE]
    ratios = {name: round_ratios(times[name], times[_CANDIDATE]) for name in baselines}
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
