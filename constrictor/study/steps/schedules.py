"""Numbers that may change while a model is trained: alpha and temperature."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from constrictor.study.settings import MAPPING, PLAIN, Settings, plain_or_mapping


class Schedule(Settings):
    """A number that goes from one value to another by the share of the training that is done."""

    schedule: Literal["linear", "cosine"] = Field(
        "linear", description="The way: even, or along half a cosine, slow at both ends."
    )


class AlphaSchedule(Schedule):
    """A weight of the teacher that changes while the student is trained (annealing; Clark et al., 2019)."""

    from_: float = Field(alias="from", ge=0, le=1, description="Value at the first step.")
    to: float = Field(ge=0, le=1, description="Value at the end.")


class TemperatureSchedule(Schedule):
    """A temperature that changes while the student is trained (Annealing-KD; Jafari et al., 2021)."""

    from_: float = Field(alias="from", gt=0, description="Value at the first step.")
    to: float = Field(gt=0, description="Value at the end.")


Alpha = Annotated[
    Annotated[float, Field(ge=0, le=1), Tag(PLAIN)] | Annotated[AlphaSchedule, Tag(MAPPING)],
    Discriminator(plain_or_mapping),
]

Temperature = Annotated[
    Annotated[float, Field(gt=0), Tag(PLAIN)] | Annotated[TemperatureSchedule, Tag(MAPPING)],
    Discriminator(plain_or_mapping),
]
