import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from constrictor.compression.pruning.masks import cubic_sparsity, pattern_masks, row_masks, sparsity_masks
from constrictor.errors import ConstrictorError


def _reference(matrices: dict[str, np.ndarray], sparsity: float, scope: str) -> dict[str, np.ndarray]:
    if scope == "layer":
        return {name: _reference({name: matrix}, sparsity, "global")[name] for name, matrix in matrices.items()}
    flat = np.concatenate([matrix.ravel() for matrix in matrices.values()])
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
    found = sparsity_masks({name: torch.from_numpy(matrix) for name, matrix in matrices.items()}, sparsity, scope)
    expected = _reference(matrices, sparsity, scope)
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name].numpy(), expected[name])


def test_global_scope_takes_from_the_smaller_matrix_and_layer_scope_from_each():
    weights = {"small": torch.full((2, 4), 0.1), "large": torch.full((2, 4), 9.0)}
    everywhere = sparsity_masks(weights, 0.5, "global")
    assert (int(everywhere["small"].sum()), int(everywhere["large"].sum())) == (0, 8)
    each = sparsity_masks(weights, 0.5, "layer")
    assert (int(each["small"].sum()), int(each["large"].sum())) == (4, 4)


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.333, 0.5, 0.999, 1.0])
def test_exactly_the_required_number_is_pruned(sparsity):
    weights = {"a": torch.ones(10, 10), "b": torch.ones(37, 3)}
    masks = sparsity_masks(weights, sparsity, "global")
    assert sum(int((~mask).sum()) for mask in masks.values()) == round(sparsity * 211)


@given(
    seed=st.integers(0, 10_000),
    group=st.integers(2, 8),
    data=st.data(),
    levels=st.sampled_from([2, 1000]),
)
def test_of_every_group_of_neighbouring_inputs_the_highest_stay(seed, group, data, levels):
    kept = data.draw(st.integers(1, group - 1))
    scores = np.random.default_rng(seed).integers(0, levels, (5, 3 * group)).astype(np.float32)
    mask = pattern_masks({"a": torch.from_numpy(scores)}, f"{kept}:{group}")["a"].numpy()
    for row in range(5):
        for start in range(0, 3 * group, group):
            values, stays = scores[row, start : start + group], mask[row, start : start + group]
            assert stays.sum() == kept
            assert values[stays].min() >= values[~stays].max()


def test_a_pattern_that_does_not_fit_names_the_matrix():
    with pytest.raises(ConstrictorError, match=r"pattern 2:4 does not fit: 'b' has 6 inputs, .* no multiple of 4"):
        pattern_masks({"a": torch.ones(2, 8), "b": torch.ones(2, 6)}, "2:4")


@given(seed=st.integers(0, 10_000), sparsity=st.floats(0, 1))
def test_from_each_row_goes_the_same_number(seed, sparsity):
    scores = np.random.default_rng(seed).integers(0, 4, (6, 7)).astype(np.float32)
    mask = row_masks({"a": torch.from_numpy(scores)}, sparsity)["a"].numpy()
    for row, stays in zip(scores, mask, strict=True):
        np.testing.assert_array_equal(stays, _reference({"a": row}, sparsity, "global")["a"])


def test_cubic_schedule_is_that_of_the_paper():
    # Zhu and Gupta (2017), equation 1, with n steps of pruning every dt steps from t0 on
    initial, final, start, steps, spacing = 0.1, 0.9, 100, 10, 50
    for step in range(start, start + steps * spacing + 1, spacing):
        expected = final + (initial - final) * (1 - (step - start) / (steps * spacing)) ** 3
        assert cubic_sparsity(final, (step - start) / (steps * spacing), initial) == pytest.approx(expected)
    assert cubic_sparsity(final, 0, initial) == pytest.approx(initial)
    assert cubic_sparsity(final, 1) == cubic_sparsity(final, 1.5) == final
