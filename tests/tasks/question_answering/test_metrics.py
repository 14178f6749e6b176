import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.text import squad

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

DEV = Path(__file__).parents[3] / "data/local/question_answering/nq_dev.json"


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


WORDS = ["the", "a", "An", "Norwegian", "blue", "parrot,", "(blue)", "don't", "1,000", "3.5%", "Łódź", "—", "U.S."]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


def by_torchmetrics(predictions: list[str], references: list[list[str]]) -> tuple[float, float]:
    """Mean exact match and F1, 0 to 1, of an implementation that is not ours."""
    found = squad(
        [{"id": str(number), "prediction_text": text} for number, text in enumerate(predictions)],
        [
            {"id": str(number), "answers": {"text": texts, "answer_start": [0] * len(texts)}}
            for number, texts in enumerate(references)
        ],
    )
    return float(found["exact_match"]) / 100, float(found["f1"]) / 100


@given(TEXTS, st.lists(TEXTS.filter(normalise), min_size=1, max_size=3))
def test_any_scores_are_those_of_torchmetrics(prediction, references):
    ours = tuple(score(metric, False, prediction, references) for metric in (exact_match, token_f1))
    assert ours == pytest.approx(by_torchmetrics([prediction], [references]), abs=1e-6)


def corrupted(text: str, number: int, other: str) -> str:
    """A reference, as a model might miss it: which way depends on the number."""
    words = text.split()
    ways = [
        text, text.upper(), f"the {text}", f'"{text}".', text.replace(",", ""), f"{text} {other}", other, "",
        " ".join(words[1:]), " ".join(words[:-1]), " ".join(reversed(words)), f"{text} {text}", text.replace(" ", "-"),
    ]  # fmt: skip
    return ways[number % len(ways)]


@pytest.mark.skipif(not DEV.exists(), reason="needs the questions that studies/local/squad.yaml reads")
def test_scores_of_all_development_questions_are_those_of_torchmetrics():
    articles = json.loads(DEV.read_text(encoding="utf-8"))["data"]
    questions = [question for article in articles for part in article["paragraphs"] for question in part["qas"]]
    # Of a reference without a word ("A"), torchmetrics takes the F1 of version 2.0 of the script, and we here that of 1.1.
    references = [[answer["text"] for answer in question["answers"]] for question in questions]
    references = [texts for texts in references if texts and all(map(normalise, texts))]
    assert len(references) > 1000
    predictions = [corrupted(texts[0], number, references[number - 1][0]) for number, texts in enumerate(references)]
    labels = object_array([[{"text": text, "start": 0} for text in texts] for texts in references])
    ours = tuple(
        scores_of(metric, False, labels, object_array(predictions)).mean() for metric in (exact_match, token_f1)
    )
    assert ours == pytest.approx(by_torchmetrics(predictions, references), abs=1e-6)
    assert 0.2 < ours[0] < ours[1] < 0.9


@given(st.lists(st.tuples(st.floats(-5, 5), st.sampled_from([0.0, 0.5, 1.0]), st.booleans()), min_size=1, max_size=30))
def test_no_threshold_beats_the_one_that_is_chosen(rows):
    margins, answered, unanswered = (np.array(part, float) for part in zip(*rows, strict=True))

    def total(threshold: float) -> float:
        return float(np.where(margins > threshold, unanswered, answered).sum())

    found = best_null_threshold(margins, answered, unanswered)
    assert total(found) >= max(total(level) for level in [*margins, *(margins - 1e-6), -9.0, 9.0]) - 1e-9


def test_of_equally_good_thresholds_the_one_nearest_to_zero_is_taken():
    assert best_null_threshold(np.array([-2.0, 2.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 0.0
