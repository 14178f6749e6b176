"""Settings of the report and of the latency measurement."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from constrictor.study.settings import MAPPING, PLAIN, Once, Settings, plain_or_mapping


class Latency(Settings):
    """Latency measurement of the saved artifacts."""

    batch_sizes: Annotated[list[Annotated[int, Field(ge=1)]], Once] = Field(
        [1, 32], min_length=1, description="Batch sizes."
    )
    lengths: Annotated[list[Annotated[int, Field(ge=4)] | Literal["task"]], Once] = Field(
        [32, 128],
        min_length=1,
        description="Input lengths in tokens; `task` means validation inputs at their own lengths, padded per batch.",
    )
    threads: Annotated[list[Annotated[int, Field(ge=0)]], Once] = Field(
        [0], min_length=1, description="Numbers of threads; 0 means all threads of the job.", examples=[[0, 1]]
    )
    compiled: bool = Field(
        False,
        description="Include `torch.compile` among the candidates for the float32 baseline (requires a C++ compiler and about a "
        "minute).",
    )
    rounds: int = Field(
        5, ge=3, description="Number of rounds, in each of which the model and its baselines are timed in turn."
    )
    attempts: int = Field(
        3,
        ge=1,
        description="How often a shape is timed at most: again while other processes, rounds that disagree or a slow baseline "
        "show that the timing was disturbed. What stays disturbed is marked in the report.",
    )
    seconds: float = Field(0.1, gt=0, description="Duration per model, shape and round, in seconds; at least one call.")


class ControlOf(Settings):
    """A control that is derived from a recipe: the same start and the same steps, with labels alone."""

    of: str = Field(description="Name of the recipe.", examples=["distilled"])


class Report(Settings):
    """What models are compared with, and what is measured."""

    baseline: str = Field(description="Name of the recipe that all others are compared with.")
    control: (
        Annotated[Annotated[str, Tag(PLAIN)] | Annotated[ControlOf, Tag(MAPPING)], Discriminator(plain_or_mapping)]
        | None
    ) = Field(
        None,
        description="The control of distilled models. `{of: distilled}` derives it from the recipe `distilled` and adds it as "
        "the recipe `control`: every step that learns from a teacher is replaced by one with labels alone (`alpha: 0`), from "
        "the same start. A name means a recipe that you have written. Default: none.",
        examples=[{"of": "distilled"}, "small"],
    )
    margin: float = Field(
        0.01, gt=0, lt=1, description="Non-inferiority margin: largest acceptable drop of the metric, as a fraction."
    )
    intervals: Literal["recipe", "models"] | None = Field(
        None,
        description="What the 95 % intervals hold for: `recipe`, the recipe if it is trained anew, which requires two seeds or "
        "more; `models`, the trained models on further examples. Default: `recipe` where there are several seeds.",
    )
    resamples: int | None = Field(
        None,
        ge=1_000,
        exclude=True,
        description="Without effect: intervals are computed without resampling. To be removed.",
    )
    latency: Latency = Field(default_factory=Latency, description="Latency measurement.")
