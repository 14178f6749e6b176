"""Which way of computing makes the float32 torch baseline fastest, so that no speed-up is bought with a slow one."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import numpy as np

from constrictor.evaluation.workers import Worker, read_inputs, shapes_to_time, take_turns
from constrictor.files.writing import write_json
from constrictor.models.manifest import read_manifest
from constrictor.progress import announce
from constrictor.runtimes.load import Variant
from constrictor.study.report import Latency


def find_fair_baseline(artifact: Path, examples: Path, settings: Latency, target: Path, threads: int) -> None:
    """Time a torch artifact in every variant, taking turns, and write which is fastest over all shapes.

    Args:
        artifact: the baseline's folder.
        examples: Parquet file of examples that inputs are made of.
        settings: shapes, rounds and seconds.
        target: the JSON file to write: ``fastest``, milliseconds a shape by variant, and what was not tried and why.
        threads: threads to compute with.

    Raises:
        ConstrictorError: if the artifact is damaged or a process dies.
    """
    left_out = _left_out(settings)
    variants: list[Variant] = [variant for variant in get_args(Variant) if variant not in left_out]
    shapes = shapes_to_time(settings, read_manifest(artifact).trained_for().max_length)
    with ExitStack() as stack:
        workers = {
            str(variant): stack.enter_context(Worker(artifact, read_inputs(examples), threads, variant))
            for variant in variants
        }
        times = take_turns(workers, shapes, settings)
    milliseconds = {
        name: {f"{batch}x{length}": _median(times[batch, length][name]) for batch, length in shapes} for name in workers
    }
    fastest = min(milliseconds, key=lambda name: np.log(list(milliseconds[name].values())).mean())  # geometric mean
    write_json(target, {"fastest": fastest, "milliseconds": milliseconds, "not_tried": left_out})
    announce(f"the float32 baseline is fastest as {fastest}")


def _median(rounds: list[list[float]]) -> float:
    return round(float(np.median(np.concatenate(rounds))), 4)


def _left_out(settings: Latency) -> dict[str, str]:
    """Variants that are not tried, and why."""
    if not settings.compiled:
        return {"compiled": "not requested (report.latency.compiled)"}
    if shutil.which("c++") is None and shutil.which("g++") is None:
        return {"compiled": "there is no C++ compiler on this machine"}
    return {}
