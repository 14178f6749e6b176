"""Layers by their numbers, counted from 0: which may be taken from a model, and which learns from which."""

from __future__ import annotations

from constrictor.errors import ConstrictorError


def no_such_layer(owner: str, layer: int, available: int) -> str:
    """Say that a model has no such layer.

    Args:
        owner: what to call the model.
        layer: the layer.
        available: how many the model has.
    """
    return f"{owner} has no layer {layer}: it has {available} layers, counted 0 to {available - 1}."


def layer_problem(layers: list[int], available: int | None, owner: str) -> str | None:
    """Why layers cannot be taken from a model; None if they can.

    Args:
        layers: the layers.
        available: how many the model has; None where only a download would tell.
        owner: what to call the model.

    >>> layer_problem([4, 0], 6, "the teacher")
    'the layers [4, 0] must rise, each named once: [0, 4].'
    """
    if min(layers) < 0:
        return f"the layers {layers} are counted from 0: none is negative."
    if sorted(set(layers)) != layers:
        return f"the layers {layers} must rise, each named once: {sorted(set(layers))}."
    if available is not None and max(layers) >= available:
        return no_such_layer(owner, max(layers), available)
    return None


def layer_pairs(layers: str | dict[int, int], student: int, teacher: int) -> list[tuple[int, int]]:
    """Pairs of a student's and a teacher's layer.

    Args:
        layers: ``uniform``, ``last`` or a mapping.
        student: number of the student's layers.
        teacher: number of the teacher's layers.

    Raises:
        ConstrictorError: if a mapping names a layer that does not exist.

    >>> layer_pairs("uniform", 3, 6)
    [(0, 1), (1, 3), (2, 5)]
    """
    if layers == "last":
        return [(student - 1, teacher - 1)]
    if isinstance(layers, str):
        return [(layer, -(-(layer + 1) * teacher // student) - 1) for layer in range(student)]
    for owner, named, available in (("student", layers.keys(), student), ("teacher", layers.values(), teacher)):
        wrong = [layer for layer in named if not 0 <= layer < available]
        if wrong:
            raise ConstrictorError(f"'layers': {no_such_layer(f'the {owner}', wrong[0], available)}")
    return sorted(layers.items())
