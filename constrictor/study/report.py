"""What a study reports, and what is timed for it. Apart from the steps, of which the timing reads nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from constrictor.study.settings import Once, Settings


class Latency(Settings):
    """What is timed, on the artifact as it would be shipped."""

    batch_sizes: Annotated[list[Annotated[int, Field(ge=1)]], Once] = Field(
        [1, 32], min_length=1, description="Batch sizes."
    )
    lengths: Annotated[list[Annotated[int, Field(ge=4)] | Literal["task"]], Once] = Field(
        [32, 128],
        min_length=1,
        description="Input lengths in tokens; `task` means validation texts as they are, padded in their batch.",
    )
    threads: Annotated[list[Annotated[int, Field(ge=0)]], Once] = Field(
        [0], min_length=1, description="Threads to compute with; 0 means all that the job has.", examples=[[0, 1]]
    )
    compiled: bool = Field(
        False,
        description="Let `torch.compile` compete for the fairest float32 baseline (needs a C++ compiler, takes a minute).",
    )
    rounds: int = Field(5, ge=3, description="Rounds in which the model and its baselines take turns.")
    seconds: float = Field(
        0.1, gt=0, description="Time that a model gets for one shape in one round (one call at least)."
    )


class Report(Settings):
    """What every model is held against, and what is measured of it."""

    baseline: str = Field(description="Recipe that every other is compared with.")
    control: str | None = Field(None, description="Recipe of the control: the same student without a teacher.")
    margin: float = Field(
        0.01, gt=0, lt=1, description="Non-inferiority margin: the loss of quality that would still be accepted."
    )
    resamples: int = Field(10_000, ge=1_000, description="Resamples of the paired bootstrap.")
    latency: Latency = Field(default_factory=Latency, description="What is timed.")
