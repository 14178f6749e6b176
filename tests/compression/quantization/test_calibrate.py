import numpy as np
import pytest
import torch
from heads import load_classifier, sample_of
from torch import nn

from constrictor.compression.quantization.calibrate import input_ranges
from constrictor.compression.quantization.ranges import BINS, RANGES, TAILS, Observed, entropy_range
from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.models.quantized.modules import named


@pytest.fixture(scope="module")
def seen(tiny_teacher, tiny_task):
    """The model, the sample, and the inputs of every linear layer, each example alone and so without any padding."""
    model = load_classifier(tiny_teacher, ["bad", "good"], 32).eval()
    examples, tokenizer = read_examples(tiny_task / "train.parquet"), Tokenizer(tiny_teacher, 32)
    encoded = tokenizer.encode([" ".join(examples.texts[row : row + 1 + row % 4]) for row in range(40)])
    inputs: dict[str, list[np.ndarray]] = {name: [] for name in named(model, nn.Linear)}
    handles = [
        module.register_forward_hook(lambda _, given, __, name=name: inputs[name].append(given[0].numpy().ravel()))
        for name, module in named(model, nn.Linear).items()
    ]
    with torch.no_grad():
        for ids in encoded:
            model(input_ids=torch.from_numpy(ids)[None])
    for handle in handles:
        handle.remove()
    return model, sample_of(encoded, examples.labels[:40], tokenizer.pad_id), inputs


@pytest.mark.parametrize("ranges", RANGES)
def test_ranges_are_those_of_single_examples_without_padding(seen, ranges):
    model, sample, inputs = seen
    assert len({len(ids) for ids in sample.encoded}) > 4  # so that batches are padded
    found = input_ranges(model, named(model, nn.Linear), sample, ranges)
    assert set(found) == set(inputs)
    for name, parts in inputs.items():
        values = np.concatenate(parts)
        low, high = min(0.0, values.min()), max(0.0, values.max())
        shares = TAILS / 2, 1 - TAILS / 2
        expected = {
            "minmax": (low, high),
            "percentile": np.clip(np.quantile(values, shares, method="inverted_cdf"), [low, 0], [0, high]),
            # Its own tests compare it with a plain loop.
            "entropy": entropy_range(Observed(low, high, np.histogram(values, BINS, (low, high))[0])),
        }[ranges]
        # The entropy method tries 64 limits, and two next to each other may be equally good.
        step = max(-low, high) / 64 if ranges == "entropy" else 0
        np.testing.assert_allclose(found[name], expected, atol=step + 3 * (high - low) / BINS + 1e-5, err_msg=name)


def test_nothing_is_left_in_the_model(seen):
    model, sample, _ = seen
    input_ranges(model, named(model, nn.Linear), sample, "minmax")
    assert not any(module._forward_pre_hooks for module in model.modules())
