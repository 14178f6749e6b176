"""From the logits of windows to the answers of questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from constrictor.tasks.kind import Features


class Answers(NamedTuple):
    """The best answer of each question, ``(questions,)`` each.

    Attributes:
        texts: parts of the contexts.
        scores: sum of the start and the end logit.
        null_scores: the same sum for the first token, which stands for no answer; the lowest of all windows.
    """

    texts: np.ndarray
    scores: np.ndarray
    null_scores: np.ndarray


def best_answers(
    starts: Sequence[np.ndarray], ends: Sequence[np.ndarray], features: Features, contexts: Sequence[str], limit: int
) -> Answers:
    """The span with the highest score over all windows of each question.

    Args:
        starts: for each window ``(tokens,)`` logits of an answer starting there.
        ends: the same of an answer ending there.
        features: the windows.
        contexts: one per question.
        limit: maximum length in tokens of an answer.
    """
    found = Answers(
        np.full(len(contexts), "", dtype=object),
        np.full(len(contexts), -np.inf, np.float32),
        np.full(len(contexts), np.inf, np.float32),
    )
    for start, end, window, question in zip(starts, ends, features.details, features.example, strict=True):
        found.null_scores[question] = min(found.null_scores[question], start[0] + end[0])
        tokens = slice(window.first, window.first + len(window.offsets))
        score, first, last = best_span(start[tokens], end[tokens], limit)
        if score > found.scores[question]:
            found.scores[question] = score
            found.texts[question] = contexts[question][window.offsets[first, 0] : window.offsets[last, 1]]
    return found


def best_span(start: np.ndarray, end: np.ndarray, limit: int) -> tuple[float, int, int]:
    """The highest sum of a start and an end logit, with the places of both: all pairs are tried.

    Args:
        start: ``(tokens,)``.
        end: ``(tokens,)``.
        limit: maximum number of tokens of a span.

    >>> best_span(np.array([0.0, 3.0, 1.0]), np.array([5.0, 0.0, 2.0]), limit=2)
    (5.0, 0, 0)
    """
    limit = min(limit, len(start))
    padded = np.concatenate([end, np.full(limit - 1, -np.inf, end.dtype)])
    sums = start[:, None] + np.lib.stride_tricks.sliding_window_view(padded, limit)
    first, further = divmod(int(sums.argmax()), limit)
    return float(sums[first, further]), first, first + further


def cross_entropy(logits: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of a place in each window in nats.

    Args:
        logits: for each window ``(tokens,)``.
        places: ``(windows,)`` token numbers.

    Returns:
        ``(windows,)`` float64; NaN for a window without a place.
    """
    found = np.full(len(places), np.nan)
    for number, (values, place) in enumerate(zip(logits, places, strict=True)):
        if place >= 0:
            shifted = values.astype(np.float64) - values.max()
            found[number] = np.log(np.exp(shifted).sum()) - shifted[place]
    return found
