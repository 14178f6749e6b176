"""Settings of values that change during training: alpha and temperature."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from constrictor.study.settings import MAPPING, PLAIN, Settings, plain_or_mapping


class Schedule(Settings):
    """A value that changes with the fraction of training that is complete."""

    schedule: Literal["linear", "cosine"] = Field(
        "linear", description="Interpolation: linear, or half a cosine, which is slow at both ends."
    )


class AlphaSchedule(Schedule):
    """A weight of the soft targets that changes during training (teacher annealing; Clark et al., 2019)."""

    from_: float = Field(alias="from", ge=0, le=1, description="Value at the first step.")
    to: float = Field(ge=0, le=1, description="Value at the last step.")


class TemperatureSchedule(Schedule):
    """A temperature that changes during training (Annealing-KD; Jafari et al., 2021)."""

    from_: float = Field(alias="from", gt=0, description="Value at the first step.")
    to: float = Field(gt=0, description="Value at the last step.")


Alpha = Annotated[
    Annotated[float, Field(ge=0, le=1), Tag(PLAIN)] | Annotated[AlphaSchedule, Tag(MAPPING)],
    Discriminator(plain_or_mapping),
]

Temperature = Annotated[
    Annotated[float, Field(gt=0), Tag(PLAIN)] | Annotated[TemperatureSchedule, Tag(MAPPING)],
    Discriminator(plain_or_mapping),
]
