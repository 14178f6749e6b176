"""The value of a scheduled number at a point of the training; it depends on the share of steps that is done alone."""

from __future__ import annotations

import math

from constrictor.study.steps.schedules import AlphaSchedule, TemperatureSchedule


def value_at(setting: float | AlphaSchedule | TemperatureSchedule, done: float) -> float:
    """The number itself, or ``from + (to - from) * f(done)`` with ``f(x) = x`` or ``(1 - cos(pi x)) / 2``.

    Args:
        setting: a number or a schedule.
        done: share of the optimiser steps that are done, 0 to 1.

    >>> value_at(AlphaSchedule(**{"from": 0.75, "to": 0.25}), 0.25)
    0.625
    """
    if isinstance(setting, int | float):
        return float(setting)
    way = done if setting.schedule == "linear" else (1 - math.cos(math.pi * done)) / 2
    return setting.from_ + (setting.to - setting.from_) * way
