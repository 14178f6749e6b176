"""A model's address is its lineage: the steps that made it, in their order, as folders.

results/<study>/<task>/<replicate>/<step>/<step>/.../
"""

from __future__ import annotations

from collections.abc import Iterable

# What lies in a node's folder beside its children, so no step may be called so.
RESERVED = frozenset(
    "model outputs logs checkpoints training.json metrics.json predictions.parquet latency.json fair_baseline.json".split()
)


def steps_of(lineage: str) -> list[str]:
    """The names of the steps, first to last.

    >>> steps_of("teacher/kd/mag40")
    ['teacher', 'kd', 'mag40']
    """
    return lineage.split("/")


def last_step(lineage: str) -> str:
    """The name of the step that a lineage ends with.

    >>> last_step("teacher/kd/mag40")
    'mag40'
    """
    return steps_of(lineage)[-1]


def parent_of(lineage: str) -> str | None:
    """The lineage one step before, or None at the root.

    >>> parent_of("teacher/kd/mag40")
    'teacher/kd'
    >>> parent_of("teacher") is None
    True
    """
    return lineage.rpartition("/")[0] or None


def ancestry(lineage: str) -> list[str]:
    """All lineages on the way, from the root to this one.

    >>> ancestry("teacher/kd/mag40")
    ['teacher', 'teacher/kd', 'teacher/kd/mag40']
    """
    names = steps_of(lineage)
    return ["/".join(names[: length + 1]) for length in range(len(names))]


def all_nodes(lineages: Iterable[str]) -> list[str]:
    """Every lineage that building these needs, each once, parents before children.

    >>> all_nodes(["teacher/kd", "teacher/onnx"])
    ['teacher', 'teacher/kd', 'teacher/onnx']
    """
    return list(dict.fromkeys(node for lineage in lineages for node in ancestry(lineage)))
