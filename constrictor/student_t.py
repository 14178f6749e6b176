"""Quantiles of the normal and of Student's t distribution (Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4)."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist


@cache
def normal_quantile(level: float = 0.95) -> float:
    """Half-width of the central interval of the normal distribution that holds a share ``level`` of it.

    >>> round(normal_quantile(), 3)
    1.96
    """
    return -NormalDist().inv_cdf((1 - level) / 2)


@cache
def t_quantile(degrees: int, level: float = 0.95) -> float:
    """Half-width of the central interval of Student's t distribution that holds a share ``level`` of it.

    Args:
        degrees: degrees of freedom, 1 or more.
        level: between 0 and 1.

    >>> round(t_quantile(2), 3)
    4.303
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < level else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def _within(angle: float, degrees: int) -> float:
    """Probability that ``|t|`` is below ``sqrt(degrees) tan(angle)``."""
    cosine, sine = math.cos(angle), math.sin(angle)
    if degrees == 1:
        return 2 * angle / math.pi
    # Even: 1 + c²/2 + (1·3)/(2·4) c⁴ + …; odd: c + (2/3) c³ + (2·4)/(3·5) c⁵ + …
    term = total = cosine if degrees % 2 else 1.0
    for number in range(2 + degrees % 2, degrees - 1, 2):
        term *= cosine**2 * (number - 1) / number
        total += term
    return 2 / math.pi * (angle + sine * total) if degrees % 2 else sine * total
