import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from constrictor.compression.pruning.magnitude import magnitude_masks


def _reference(matrices: dict[str, np.ndarray], sparsity: float, scope: str) -> dict[str, np.ndarray]:
    if scope == "layer":
        return {name: _reference({name: matrix}, sparsity, "global")[name] for name, matrix in matrices.items()}
    flat = np.abs(np.concatenate([matrix.ravel() for matrix in matrices.values()]))
    keep = np.ones(flat.size, bool)
    keep[np.argsort(flat, kind="stable")[: round(sparsity * flat.size)]] = False
    ends = np.cumsum([matrix.size for matrix in matrices.values()])[:-1]
    return {
        name: part.reshape(matrix.shape)
        for (name, matrix), part in zip(matrices.items(), np.split(keep, ends), strict=True)
    }


@given(
    seed=st.integers(0, 10_000),
    sparsity=st.floats(0, 1),
    scope=st.sampled_from(["global", "layer"]),
    levels=st.sampled_from([3, 1000]),
)
def test_masks_equal_a_stable_argsort_also_with_ties(seed, sparsity, scope, levels):
    generator = np.random.default_rng(seed)
    matrices = {
        name: (generator.integers(-levels, levels + 1, shape) / levels).astype(np.float32)
        for name, shape in (("a", (4, 5)), ("b", (3, 7)), ("c", (1, 1)))
    }
    found = magnitude_masks({name: torch.from_numpy(matrix) for name, matrix in matrices.items()}, sparsity, scope)
    expected = _reference(matrices, sparsity, scope)
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name].numpy(), expected[name])


def test_global_scope_takes_from_the_smaller_matrix_and_layer_scope_from_each():
    weights = {"small": torch.full((2, 4), 0.1), "large": torch.full((2, 4), 9.0)}
    everywhere = magnitude_masks(weights, 0.5, "global")
    assert (int(everywhere["small"].sum()), int(everywhere["large"].sum())) == (0, 8)
    each = magnitude_masks(weights, 0.5, "layer")
    assert (int(each["small"].sum()), int(each["large"].sum())) == (4, 4)


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.333, 0.5, 0.999, 1.0])
def test_exactly_the_wanted_number_goes(sparsity):
    weights = {"a": torch.ones(10, 10), "b": torch.ones(37, 3)}
    masks = magnitude_masks(weights, sparsity, "global")
    assert sum(int((~mask).sum()) for mask in masks.values()) == round(sparsity * 211)


def test_the_largest_weight_stays_whatever_its_sign():
    masks = magnitude_masks({"a": torch.tensor([[0.1, -5.0, 0.2, 3.0]])}, 0.75, "global")
    assert masks["a"].tolist() == [[False, True, False, False]]
