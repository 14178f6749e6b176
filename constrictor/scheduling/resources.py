"""What a job asks of a machine or a queue: threads, memory, time and a GPU, from the model's size and the work.

Memory, in bytes, of a job on a model of P parameters and L layers, that holds B rows of S tokens at once:

    base + copies * 4 P + B S a,    a = sqrt(P L / 12) * (68 + S / 6.4) while training

- `base` and `copies` of the weights are those of :data:`_STAGES`. A training has six: the weights, their gradients, both
  moments of AdamW, the best epoch (or the average) and the one that is being saved.
- a, the activations of a token that a backward pass needs, is 34 h + 5 heads S bytes a layer in 16 bits (Korthikanti et
  al., 2022, equation 1), twice that in 32, with heads = h / 64 and h = sqrt(P / 12 L), the width of a transformer whose
  parameters all lie in its layers (12 h^2 a layer). Embeddings make it an upper bound. Without a backward pass only one
  layer's are there at a time.

Time: 6 P operations a token to train and 2 P to predict (Kaplan et al., 2020, section 2.1), every row of full length, at
:data:`_OPERATIONS_PER_SECOND`, and a quarter of an hour for what does not depend on the size.

Held against the peaks of MiniLM in the default study (P = 22.7 million, L = 6; 2159 MB to fine-tune, 927 to label, 669 to
evaluate, 961 to export, 1601 to time) the estimate is 1.5 to 2.5 times what was used: a queue also counts Snakemake's own
processes, and there too little costs a job and too much costs a wait. A killed attempt asks for 1.5 times the memory and
twice the time of the one before.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Literal, NamedTuple

Stage = Literal["read", "fetch", "train", "label", "evaluate", "convert", "time", "compare"]


class _Constants(NamedTuple):
    """Of a stage: memory without a model in MB, copies of the weights, and threads."""

    base_mb: int
    copies: int
    threads: int


_STAGES: dict[Stage, _Constants] = {
    "read": _Constants(4000, 0, 1),  # ASSUME: a table of at most 1 GB
    "fetch": _Constants(1000, 2, 1),
    "train": _Constants(1600, 6, 8),
    "label": _Constants(1000, 3, 8),  # the file, the model, the model in another precision
    "evaluate": _Constants(1000, 3, 1),
    "convert": _Constants(1000, 6, 1),  # the model, its graph, and both once more in the session that checks the result
    "time": _Constants(1600, 6, 1),  # the candidate and both baselines, each in a process of its own
    "compare": _Constants(4000, 0, 1),
}
_TRAINING_THREADS_WITH_GPU = 4
_GPU_BASE_MB = 3000  # CUDA's libraries and its pinned buffers, in the machine's memory
_MEMORY_GROWTH, _TIME_GROWTH = 1.5, 2
_FIXED_MINUTES = 15
_LONGEST_MINUTES = 24 * 60  # most partitions allow a day; a training that is stopped there goes on in the next attempt
# ASSUME: float32 on an AVX2 core at half its peak, and a GPU from 2018 (T4) at a quarter of its peak in 16 bits. Two Zen 5
# cores with bf16 reach 4.7e11 in a fine-tuning of MiniLM.
_OPERATIONS_PER_SECOND = {"core": 5e10, "gpu": 1.6e13}
_MEASURED_HEADROOM, _MEASURED_BASE_MB = 1.3, 300  # and Snakemake itself, which counts as part of a queue's job


class Work(NamedTuple):
    """What a job does, as far as its needs depend on it."""

    stage: Stage
    parameters: int = 0
    layers: int = 12
    batch: int = 64
    """Rows in memory at once."""
    length: int = 128
    """Longest row in tokens."""
    rows: int = 0
    """Rows that are computed in all."""
    gpu: bool = False


class Needs(NamedTuple):
    """What the job asks for: cores, megabytes, minutes, GPUs."""

    threads: int
    mem_mb: int
    runtime: int
    gpu: int


def needs(work: Work, attempt: int = 1, measured_mb: float | None = None) -> Needs:
    """What a job asks for.

    Args:
        work: what it does.
        attempt: 1 for the first; later ones ask for more memory and time.
        measured_mb: the peak of an earlier run in MB, which is better than any estimate.

    >>> needs(Work("train", parameters=110_000_000, batch=32, rows=60_000, gpu=True))
    Needs(threads=4, mem_mb=11021, runtime=21, gpu=1)
    """
    threads = _TRAINING_THREADS_WITH_GPU if work.gpu and work.stage == "train" else _STAGES[work.stage].threads
    memory = estimated_mb(work) if measured_mb is None else measured_mb * _MEASURED_HEADROOM + _MEASURED_BASE_MB
    minutes = _FIXED_MINUTES + operations(work) / (_operations_per_second(work.gpu, threads) * 60)
    return Needs(
        threads,
        math.ceil(memory * _MEMORY_GROWTH ** (attempt - 1)),
        min(_LONGEST_MINUTES, math.ceil(minutes * _TIME_GROWTH ** (attempt - 1))),
        int(work.gpu),
    )


def measured(benchmark: Path, column: Literal["max_rss", "s"]) -> float | None:
    """Peak in MB (`max_rss`) or seconds (`s`) of an earlier run, from the table that Snakemake wrote; None if there is none."""
    try:
        with open(benchmark, newline="", encoding="utf-8") as stream:
            return max(float(row[column]) for row in csv.DictReader(stream, delimiter="\t"))
    except (OSError, ValueError, KeyError, TypeError):  # no table, or none that can be used: "NA" for a very short job
        return None


def estimated_mb(work: Work) -> float:
    """Memory that a job will hold at most, in MB."""
    constants = _STAGES[work.stage]
    base_mb = constants.base_mb + (_GPU_BASE_MB if work.gpu else 0)
    return base_mb + (constants.copies * 4 * work.parameters + _activations(work)) / 1e6


def _activations(work: Work) -> float:
    """Bytes of the activations that are held at once."""
    layers = max(work.layers, 1)
    held = layers if work.stage == "train" else 1
    width = math.sqrt(work.parameters / (12 * layers))
    return work.batch * work.length * held * width * (68 + work.length / 6.4)


def operations(work: Work) -> float:
    """Floating-point operations in all."""
    return (6 if work.stage == "train" else 2) * work.parameters * work.rows * work.length


def _operations_per_second(gpu: bool, threads: int) -> float:
    return _OPERATIONS_PER_SECOND["gpu"] if gpu else _OPERATIONS_PER_SECOND["core"] * threads
