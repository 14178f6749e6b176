"""Layers by their numbers, from 0: which may be kept of a model, and which are paired in feature distillation."""

from __future__ import annotations

from constrictor.errors import ConstrictorError


def no_such_layer(owner: str, layer: int, available: int) -> str:
    """The message for a layer that a model does not have.

    Args:
        owner: name of the model, for the message.
        layer: the layer.
        available: number of layers of the model.
    """
    return f"{owner} has no layer {layer}: it has {available} layers, numbered 0 to {available - 1}."


def layer_problem(layers: list[int], available: int | None, owner: str) -> str | None:
    """Why layers cannot be kept of a model; None if they can.

    Args:
        layers: the layers.
        available: number of layers of the model; None if it is unknown until the download.
        owner: name of the model, for the message.

    >>> layer_problem([4, 0], 6, "the teacher")
    'the layers [4, 0] must be in ascending order without duplicates: [0, 4].'
    """
    if min(layers) < 0:
        return f"the layers {layers} are numbered from 0: none may be negative."
    if sorted(set(layers)) != layers:
        return f"the layers {layers} must be in ascending order without duplicates: {sorted(set(layers))}."
    if available is not None and max(layers) >= available:
        return no_such_layer(owner, max(layers), available)
    return None


def layer_pairs(layers: str | dict[int, int], student: int, teacher: int) -> list[tuple[int, int]]:
    """Pairs of a layer of the student and a layer of the teacher.

    Args:
        layers: ``uniform``, ``last`` or a mapping.
        student: number of layers of the student.
        teacher: number of layers of the teacher.

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
