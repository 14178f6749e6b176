"""The resources that a job requests of a machine or a queue: threads, memory, time and a GPU.

Memory, in bytes, of a job on a model of P parameters:

    base + copies * 4 P + activations

- `base` and `copies` of the weights are those of :data:`_STAGES`. A training has six: the weights, their gradients, both
  moments of AdamW, the best epoch (or the average) and the one that is being saved.
- Activations and operations are those of :mod:`constrictor.scheduling.work`.

Time: the operations at the requested rate, and a quarter of an hour for what does not depend on the size.

Held against the peaks of MiniLM in the default study (P = 22.7 million, L = 6; 2159 MB to fine-tune, 927 to label, 669 to
evaluate, 961 to export, 1601 to time) the request is 1.5 to 2.5 times what was used: a queue also counts Snakemake's own
processes, and there too little costs a job and too much costs a wait. After a killed attempt 1.5 times the memory and twice
the time are requested.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from constrictor.scheduling.work import Stage, Work, seconds_of


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
_LONGEST_MINUTES = 24 * 60  # most partitions allow a day; a training that is stopped there resumes in the next attempt
_MEASURED_HEADROOM, _MEASURED_BASE_MB = 1.3, 300  # and Snakemake itself, which counts as part of a queue's job


class Resources(NamedTuple):
    """What a job requests: cores, megabytes, minutes, GPUs."""

    threads: int
    mem_mb: int
    runtime: int
    gpu: int


def resources_of(work: Work, attempt: int = 1, measured_mb: float | None = None) -> Resources:
    """The resources that a job requests.

    Args:
        work: what it does.
        attempt: 1 for the first; later ones request more memory and time.
        measured_mb: the peak of an earlier run in MB, which replaces the estimate.

    >>> resources_of(Work("train", parameters=110_000_000, batch=32, rows=60_000, gpu=True))
    Resources(threads=4, mem_mb=11021, runtime=21, gpu=1)
    """
    threads = _TRAINING_THREADS_WITH_GPU if work.gpu and work.stage == "train" else _STAGES[work.stage].threads
    memory = estimated_mb(work) if measured_mb is None else measured_mb * _MEASURED_HEADROOM + _MEASURED_BASE_MB
    minutes = _FIXED_MINUTES + seconds_of(work, threads, "requested") / 60
    return Resources(
        threads,
        math.ceil(memory * _MEMORY_GROWTH ** (attempt - 1)),
        min(_LONGEST_MINUTES, math.ceil(minutes * _TIME_GROWTH ** (attempt - 1))),
        int(work.gpu),
    )


def estimated_mb(work: Work) -> float:
    """An upper bound of the memory that a job holds, in MB."""
    constants = _STAGES[work.stage]
    base_mb = constants.base_mb + (_GPU_BASE_MB if work.gpu else 0)
    return base_mb + (constants.copies * 4 * work.parameters + work.activation_bytes) / 1e6
