"""Speed and memory of an artifact as it would be shipped, measured in turn with its baselines.

Machines drift, so a speed-up is the median over the rounds of the ratio within a round
(:mod:`constrictor.evaluation.workers`). Half of the rounds are taken with another process of the model, since what a
process happens to be given, such as the layout of its memory, changes its speed too (Kalibera and Jones, 2013). What was
disturbed is timed again (:mod:`constrictor.evaluation.steadiness`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from constrictor.data.batching import Text
from constrictor.evaluation.fair_baseline import FairBaseline
from constrictor.evaluation.steadiness import Timing, jitter, speedup, typical, until_steady, waiting
from constrictor.evaluation.workers import Shape, Times, Worker, read_inputs, shapes_to_time, take_turns
from constrictor.files.writing import write_json
from constrictor.machine import processor
from constrictor.models.manifest import read_manifest
from constrictor.progress import announce
from constrictor.runtimes.load import Variant
from constrictor.study.report import Latency

_CANDIDATE = "the model"  # its name among the baselines'


def measure_latency(
    artifact: Path,
    baselines: dict[str, Path],
    examples: Path,
    settings: Latency,
    target: Path,
    threads: int,
    fair: FairBaseline,
) -> None:
    """Write ``latency.json``: size, cold start, peak memory, and for each shape latency and speed-ups.

    Args:
        artifact: the artifact's folder.
        baselines: folders of the models to take turns with, by what they are called in the report.
        examples: Parquet file of examples that inputs are made of.
        settings: shapes, rounds and seconds.
        target: the file to write.
        threads: threads that the job has.
        fair: how torch models compute, and how long the baselines take: what was found of the baseline.

    Raises:
        ConstrictorError: if an artifact is damaged or a process dies.
    """
    manifest = read_manifest(artifact)
    shapes = shapes_to_time(settings, manifest.trained_for().max_length)
    rounds = _Rounds(artifact, baselines, read_inputs(examples), settings, fair.fastest)
    summaries: list[dict[str, Any]] = []
    for count in dict.fromkeys(number or threads for number in settings.threads):
        references = {shape: fair.references(shape, count) for shape in shapes}
        timings = until_steady(partial(rounds.take, count), shapes, references, settings.attempts)
        summaries += [_summary(shape, count, timings[shape], references[shape]) for shape in shapes]
    found = {
        "file_bytes": manifest.bytes,
        "parameters": manifest.parameters,
        "nonzero_parameters": manifest.nonzero_parameters,
        "cold_start_seconds": round(float(np.median(rounds.cold_starts)), 3),
        "peak_memory_bytes": rounds.peak_bytes[_CANDIDATE],
        "baseline_peak_memory_bytes": {name: rounds.peak_bytes[name] for name in baselines},
        "threads": threads,
        "processor": processor(),
        "rounds": settings.rounds,
        "torch_variant": fair.fastest,
        "search_disturbed": bool(fair.disturbed),
        "shapes": summaries,
    }
    write_json(target, found)
    first = summaries[0]
    speedups = ", ".join(f"{ratio:.1f} times as fast as {name}" for name, ratio in first["speedup"].items())
    announce(f"batch {first['batch']}, length {first['length']}: {first['p50_ms']:.2f} ms; {speedups}")


class _Rounds:
    """Takes the rounds of a model and its baselines, each in a process of its own.

    Attributes:
        cold_starts: seconds from the start of each of the model's processes to its first prediction.
        peak_bytes: most memory of each model's process, on the first number of threads.
    """

    def __init__(
        self, artifact: Path, baselines: dict[str, Path], texts: Sequence[Text], settings: Latency, variant: Variant
    ) -> None:
        self._artifact, self._baselines, self._texts = artifact, baselines, texts
        self._settings, self._variant = settings, variant
        self.cold_starts: list[float] = []
        self.peak_bytes: dict[str, int] = {}

    def take(self, threads: int, shapes: Sequence[Shape]) -> dict[Shape, Times]:
        """Take all rounds on a number of threads, the second half of them with a new process of the model."""
        found: dict[Shape, Times] = {
            shape: {_CANDIDATE: [], **{name: [] for name in self._baselines}} for shape in shapes
        }
        rounds = self._settings.rounds
        with ExitStack() as stack:
            workers = {
                name: stack.enter_context(self._worker(folder, threads)) for name, folder in self._baselines.items()
            }
            for part in (rounds - rounds // 2, rounds // 2):
                with self._worker(self._artifact, threads) as own:
                    everyone = {_CANDIDATE: own, **workers}
                    for shape, times in take_turns(everyone, shapes, part, self._settings.seconds).items():
                        for name, turns in times.items():
                            found[shape][name] += turns
                    self.cold_starts.append(own.cold_start_seconds)
                    self.peak_bytes = self.peak_bytes or {name: worker.peak_bytes for name, worker in everyone.items()}
        return found

    def _worker(self, folder: Path, threads: int) -> Worker:
        return Worker(folder, self._texts, threads, self._variant)


def _summary(shape: Shape, threads: int, timing: Timing, references: Mapping[str, float]) -> dict[str, Any]:
    """The entry of ``latency.json`` for a shape on a number of threads."""
    batch, length = shape
    calls = {name: [ms for turn in turns for ms in turn.milliseconds] for name, turns in timing.times.items()}
    rounds = {name: typical(turns) for name, turns in timing.times.items()}
    own, own_rounds = calls.pop(_CANDIDATE), rounds.pop(_CANDIDATE)
    p50, p95 = np.percentile(own, [50, 95])
    speedups = {name: speedup(old, own_rounds, references.get(name)) for name, old in rounds.items()}
    return {
        "batch": batch,
        "length": length,
        "threads": threads,
        "p50_ms": round(float(p50), 4),
        "p95_ms": round(float(p95), 4),
        "calls": len(own),
        "examples_per_second": round(batch / float(p50) * 1000, 1),
        "speedup": {name: round(found.value, 3) for name, found in speedups.items()},
        "speedup_interval": {name: [round(found.low, 3), round(found.high, 3)] for name, found in speedups.items()},
        "baseline_p50_ms": {name: round(float(np.median(times)), 4) for name, times in calls.items()},
        "baseline_jitter": {name: round(jitter(times), 4) for name, times in rounds.items()},
        "waiting": max(waiting(turns) for turns in timing.times.values()),
        "attempts": timing.attempts,
        "disturbed": timing.disturbances,
    }
