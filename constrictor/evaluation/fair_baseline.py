"""Which way of computing makes the float32 torch baseline fastest, so that no speed-up is bought with a slow one.

The times that the baselines take here are what those of every later job are held against: a job whose baseline takes much
longer was disturbed (:mod:`constrictor.evaluation.steadiness`).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import numpy as np
from pydantic import BaseModel

from constrictor.evaluation.steadiness import typical, until_steady
from constrictor.evaluation.workers import Shape, Times, Turn, Worker, read_inputs, shapes_to_time, take_turns
from constrictor.files.writing import write_json
from constrictor.machine import processor
from constrictor.models.manifest import read_manifest
from constrictor.progress import announce
from constrictor.runtimes.load import Variant
from constrictor.study.report import Latency


class FairBaseline(BaseModel):
    """The record of a search.

    Attributes:
        fastest: the variant in which the torch baseline is fastest over all shapes.
        milliseconds: by variant, the median of each shape ``<batch>x<length>``.
        baselines: the same of each baseline, by what it is called in the report; of torch, the fastest variant.
        not_tried: variants that were not tried, and why.
        disturbed: by shape, what disturbed the timing.
        threads: threads that computed.
        processor: that of the machine.
    """

    fastest: Variant
    milliseconds: dict[str, dict[str, float]]
    baselines: dict[str, dict[str, float]]
    not_tried: dict[str, str]
    disturbed: dict[str, list[str]]
    threads: int
    processor: dict[str, Any]

    def references(self, shape: Shape, threads: int) -> dict[str, float]:
        """Milliseconds of each baseline at a shape; nothing where another processor or number of threads computes."""
        if (self.threads, self.processor) != (threads, processor()):
            return {}
        key = _key(shape)
        return {name: times[key] for name, times in self.baselines.items() if key in times}


def find_fair_baseline(
    baselines: Mapping[str, Path], examples: Path, settings: Latency, target: Path, threads: int
) -> None:
    """Time a torch artifact in every variant and the other baselines, taking turns, and write which variant is fastest.

    Args:
        baselines: the baselines' folders, by what they are called in the report; the first is the torch artifact.
        examples: Parquet file of examples that inputs are made of.
        settings: shapes, rounds and seconds.
        target: the JSON file to write, a :class:`FairBaseline`.
        threads: threads to compute with.

    Raises:
        ConstrictorError: if an artifact is damaged or a process dies.
    """
    (name, artifact), *others = baselines.items()
    not_tried = _not_tried(settings)
    variants: list[Variant] = [variant for variant in get_args(Variant) if variant not in not_tried]
    models: list[tuple[str, Path, Variant]] = [(variant, artifact, variant) for variant in variants]
    models += [(other, folder, variants[0]) for other, folder in others]
    shapes, texts = shapes_to_time(settings, read_manifest(artifact).trained_for().max_length), read_inputs(examples)

    def measure(pending: Sequence[Shape]) -> dict[Shape, Times]:
        with ExitStack() as stack:
            workers = {
                model: stack.enter_context(Worker(folder, texts, threads, variant)) for model, folder, variant in models
            }
            return take_turns(workers, pending, settings.rounds, settings.seconds)

    timings = until_steady(measure, shapes, {}, settings.attempts)
    times = {
        model: {_key(shape): _median(timing.times[model]) for shape, timing in timings.items()} for model, *_ in models
    }
    # The geometric mean over the shapes.
    fastest = min(variants, key=lambda variant: np.log(list(times[variant].values())).mean())
    found = FairBaseline(
        fastest=fastest,
        milliseconds={variant: times[variant] for variant in variants},
        baselines={name: times[fastest], **{other: times[other] for other, _ in others}},
        not_tried=not_tried,
        disturbed={_key(shape): timing.disturbances for shape, timing in timings.items() if timing.disturbances},
        threads=threads,
        processor=dict(processor()),
    )
    write_json(target, found.model_dump(mode="json"))
    announce(f"the float32 baseline is fastest as {fastest}")


def _median(turns: Sequence[Turn]) -> float:
    return round(float(np.median(typical(turns))), 4)


def _key(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _not_tried(settings: Latency) -> dict[str, str]:
    """Variants that are not tried, and why."""
    if not settings.compiled:
        return {"compiled": "not requested (report.latency.compiled)"}
    if shutil.which("c++") is None and shutil.which("g++") is None:
        return {"compiled": "there is no C++ compiler on this machine"}
    return {}
