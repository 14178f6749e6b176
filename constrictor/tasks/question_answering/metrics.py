"""Exact match and F1 of SQuAD: of a question, the highest score against any of its references.

They follow the definitions of the official scripts, ``evaluate-v1.1.py`` (Rajpurkar et al., 2016) and, where questions may
have no answer, ``evaluate-v2.0.py`` (Rajpurkar et al., 2018).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable

import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Lower case, without ASCII punctuation, then without articles, with single spaces.

    >>> normalise("The Well-Known  (A) answer.")
    'wellknown answer'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, reference: str) -> float:
    """Whether two normalised texts are equal."""
    return float(prediction == reference)


def token_f1(prediction: str, reference: str) -> float:
    """F1 of the tokens of two normalised texts, counted with their repeats; 0 if they have none in common.

    >>> round(token_f1("old man", "old old dog"), 3)
    0.4
    """
    predicted, expected = Counter(prediction.split()), Counter(reference.split())
    common = (predicted & expected).total()
    return 2 * common / (predicted.total() + expected.total()) if common else 0.0


def scores_of(
    score: Callable[[str, str], float], unanswerable: bool, labels: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """A score of each question.

    Args:
        score: maps a normalised prediction and reference to 0 to 1.
        unanswerable: whether questions may have no answer. References of which normalising leaves nothing then do not
            count, and a question without any other has the answer "", which a prediction equals or does not.
        labels: ``(questions,)`` lists of answers.
        predictions: ``(questions,)`` texts.

    Returns:
        ``(questions,)`` float64.
    """
    found = np.zeros(len(labels))
    for number, (answers, prediction) in enumerate(zip(labels, predictions, strict=True)):
        predicted, references = normalise(prediction), [normalise(answer["text"]) for answer in answers]
        if unanswerable and not (references := list(filter(None, references))):
            found[number] = exact_match(predicted, "")
        else:
            found[number] = max(score(predicted, reference) for reference in references)
    return found


def best_null_threshold(margins: np.ndarray, answered: np.ndarray, unanswered: np.ndarray) -> float:
    """The threshold above which no answer is given that makes the sum of the scores largest.

    All thresholds between two neighbouring margins give the same answers, so only their middles are tried, and 0; of
    equally good ones the one nearest to 0 is taken.

    Args:
        margins: ``(questions,)`` by how much the score of no answer exceeds that of the best span.
        answered: ``(questions,)`` scores of the best spans.
        unanswered: ``(questions,)`` scores of no answer.

    >>> best_null_threshold(np.array([-1.0, 3.0, 5.0]), np.array([1.0, 0.5, 0.0]), np.array([0.0, 0.0, 1.0]))
    4.0
    """
    order = np.argsort(margins, kind="stable")
    levels = margins[order].astype(np.float64)
    outer = [levels[0] - 1, *(levels[:-1] + levels[1:]) / 2, levels[-1] + 1, 0.0]
    candidates = np.array(outer)
    kept = np.searchsorted(levels, candidates, side="right")  # questions that keep their answer
    gains = np.concatenate([[0.0], np.cumsum((answered - unanswered)[order])])
    best = candidates[gains[kept] >= gains[kept].max() - 1e-9]
    return float(best[np.abs(best).argmin()])
