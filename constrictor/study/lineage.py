"""A model's address is its lineage: the steps that build it, in order, as folders.

results/<study>/<task>/<replicate>/<step>/<step>/.../
"""

from __future__ import annotations

from collections.abc import Iterable

# Files and folders of a node besides its children, so no step may have such a name.
RESERVED = frozenset(
    "model outputs logs checkpoints training.json metrics.json predictions.parquet latency.json fair_baseline.json".split()
)


def steps_of(lineage: str) -> list[str]:
    """The names of the steps, in order.

    >>> steps_of("teacher/kd/mag40")
    ['teacher', 'kd', 'mag40']
    """
    return lineage.split("/")


def last_step(lineage: str) -> str:
    """The name of the last step.

    >>> last_step("teacher/kd/mag40")
    'mag40'
    """
    return steps_of(lineage)[-1]


def parent_of(lineage: str) -> str | None:
    """The lineage without its last step; None at the root.

    >>> parent_of("teacher/kd/mag40")
    'teacher/kd'
    >>> parent_of("teacher") is None
    True
    """
    return lineage.rpartition("/")[0] or None


def ancestry(lineage: str) -> list[str]:
    """The lineage and all of its ancestors, from the root.

    >>> ancestry("teacher/kd/mag40")
    ['teacher', 'teacher/kd', 'teacher/kd/mag40']
    """
    names = steps_of(lineage)
    return ["/".join(names[: length + 1]) for length in range(len(names))]


def all_nodes(lineages: Iterable[str]) -> list[str]:
    """These lineages and all of their ancestors, each once, parents before children.

    >>> all_nodes(["teacher/kd", "teacher/onnx"])
    ['teacher', 'teacher/kd', 'teacher/onnx']
    """
    return list(dict.fromkeys(node for lineage in lineages for node in ancestry(lineage)))
