"""How far the outputs of two models are apart, on the scale on which outputs differ from example to example."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from constrictor.data.batching import RawOutputs


class Difference(NamedTuple):
    """The difference of two models' outputs for the same features.

    Attributes:
        largest: largest absolute difference of an output.
        mean: mean absolute difference.
        spread: standard deviation of the first model's outputs.
        scale: what a tolerance is a share of: the spread, and a hundredth of the largest output. The latter is for outputs
            that hardly differ: float32 keeps seven digits of a number, however small the differences between numbers are.
    """

    largest: float
    mean: float
    spread: float
    scale: float


def difference_of(reference: RawOutputs, candidate: RawOutputs) -> Difference:
    """The difference of two models' outputs, all arrays together.

    >>> prices = {"logits": np.array([[100_000.0], [300_000.0]])}
    >>> difference_of(prices, {"logits": prices["logits"] + 1}).scale
    103000.0
    """
    old = np.concatenate([_flat(values) for values in reference.values()])
    differences = np.abs(old - np.concatenate([_flat(candidate[name]) for name in reference]))
    spread = float(np.std(old))
    return Difference(
        float(differences.max()), float(differences.mean()), spread, spread + float(np.abs(old).max()) / 100
    )


def _flat(values: np.ndarray | list[np.ndarray]) -> np.ndarray:
    found = np.concatenate(values) if isinstance(values, list) else values.ravel()
    return found.astype(np.float64)
