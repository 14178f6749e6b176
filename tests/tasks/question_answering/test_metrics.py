import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrictor.data.examples import object_array
from constrictor.tasks.question_answering.metrics import (
    best_null_threshold,
    exact_match,
    normalise,
    scores_of,
    token_f1,
)

# Written by hand from the definition of the official scripts.
CASES = [json.loads(line) for line in Path(__file__).with_name("scorer_cases.jsonl").open(encoding="utf-8")]


def score(metric, unanswerable: bool, prediction: str, references: list[str]) -> float:
    labels = object_array([[{"text": text, "start": 0} for text in references or [""]]])
    return scores_of(metric, unanswerable, labels, object_array([prediction]))[0]


@pytest.mark.parametrize("case", CASES, ids=[case["rule"] for case in CASES])
def test_scores_are_those_of_the_official_script(case):
    said = case["prediction"], case["references"]
    assert score(exact_match, True, *said) == case["exact_match"]
    assert score(token_f1, True, *said) == pytest.approx(float(Fraction(case["f1"])), abs=1e-12)


@pytest.mark.parametrize(
    "case", [case for case in CASES if all(map(normalise, case["references"] or [""]))], ids=lambda case: case["rule"]
)
def test_both_official_scripts_agree_where_every_reference_has_a_word(case):
    for metric in (exact_match, token_f1):
        said = case["prediction"], case["references"]
        assert score(metric, False, *said) == score(metric, True, *said)


def test_where_every_question_has_an_answer_an_empty_reference_counts_as_it_did_in_1_1():
    assert score(exact_match, False, "the", ["a"]) == 1
    assert score(token_f1, False, "the", ["a"]) == 0
    assert score(exact_match, False, "", ["the", "cat"]) == 1


@given(st.lists(st.tuples(st.floats(-5, 5), st.sampled_from([0.0, 0.5, 1.0]), st.booleans()), min_size=1, max_size=30))
def test_no_threshold_beats_the_one_that_is_chosen(rows):
    margins, answered, unanswered = (np.array(part, float) for part in zip(*rows, strict=True))

    def total(threshold: float) -> float:
        return float(np.where(margins > threshold, unanswered, answered).sum())

    found = best_null_threshold(margins, answered, unanswered)
    assert total(found) >= max(total(level) for level in [*margins, *(margins - 1e-6), -9.0, 9.0]) - 1e-9


def test_of_equally_good_thresholds_the_one_nearest_to_zero_is_taken():
    assert best_null_threshold(np.array([-2.0, 2.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 0.0
