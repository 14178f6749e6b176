"""How much a job computes: its operations, the activations it holds, and how many operations a second to reckon with.

Operations: 6 P a token to train and 2 P to predict (Kaplan et al., 2020, section 2.1), with P parameters and every example
of full length.

Activations, in bytes a token, that a backward pass over L layers needs:

    a = sqrt(P L / 12) * (68 + S / 6.4)

This is 34 h + 5 heads S bytes a layer in 16 bits (Korthikanti et al., 2022, equation 1), twice that in 32, with heads = h / 64
and h = sqrt(P / 12 L), the width of a transformer whose parameters all lie in its layers (12 h^2 a layer). Embeddings make it
an upper bound. Without a backward pass only one layer's are held at a time.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

Stage = Literal["read", "fetch", "train", "label", "evaluate", "convert", "time", "compare"]


class Work(NamedTuple):
    """What a job does, as far as its resources and its duration depend on it."""

    stage: Stage
    parameters: int = 0
    layers: int = 12
    batch: int = 64
    """Examples in memory at once."""
    length: int = 128
    """Longest input in tokens."""
    rows: int = 0
    """Examples that are computed in all."""
    gpu: bool = False

    @property
    def operations(self) -> float:
        """Floating-point operations in all."""
        return (6 if self.stage == "train" else 2) * self.parameters * self.rows * self.length

    @property
    def activation_bytes(self) -> float:
        """Bytes of the activations that are held at once."""
        layers = max(self.layers, 1)
        held = layers if self.stage == "train" else 1
        width = math.sqrt(self.parameters / (12 * layers))
        return self.batch * self.length * held * width * (68 + self.length / 6.4)


class Rate(NamedTuple):
    """Floating-point operations a second, for two uses.

    Attributes:
        requested: a rate that slow hardware reaches. The time limit that a job requests of a queue rests on it: a job over
            its limit is killed, one under it costs nothing.
        expected: a rate of current hardware on inputs that fill a quarter of `max_length`. The estimates of `make plan` rest
            on it until jobs of the study itself have been measured.
    """

    requested: float
    expected: float


# ASSUME: requested: float32 on an AVX2 core at half its peak, and a GPU from 2018 (T4) at a quarter of its peak in 16 bits.
# Expected: as the default study took on two Zen 5 cores with bf16 (4.7e11 for two cores, with full inputs), and sixty times
# as much a GPU.
OPERATIONS_PER_SECOND = {"core": Rate(requested=5e10, expected=1e12), "gpu": Rate(requested=1.6e13, expected=6e13)}


def seconds_of(work: Work, threads: int, use: Literal["requested", "expected"]) -> float:
    """Seconds that the operations of a job take at one of the two rates.

    >>> seconds_of(Work("evaluate", parameters=10**8, rows=1000), threads=2, use="requested")
    256.0
    """
    rates = OPERATIONS_PER_SECOND["gpu" if work.gpu else "core"]
    return work.operations / (getattr(rates, use) * (1 if work.gpu else threads))
