"""The Pareto front: the models that no other beats in both cost and quality."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[float], qualities: Sequence[float]) -> list[int]:
    """Positions of the models that are on the front, from the cheapest to the dearest.

    A model is on it unless another costs no more and is at least as good, and is better in one of the two.

    >>> pareto_front([1.0, 2.0, 3.0], [0.8, 0.7, 0.9])
    [0, 2]
    """
    order = sorted(range(len(costs)), key=lambda index: (costs[index], -qualities[index]))
    front: list[int] = []
    for index in order:
        point = (costs[index], qualities[index])
        if not front or point[1] > qualities[front[-1]] or point == (costs[front[-1]], qualities[front[-1]]):
            front.append(index)
    return front
