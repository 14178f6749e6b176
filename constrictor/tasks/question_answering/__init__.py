"""Extractive question answering: inputs are pairs of a question and its context, labels are lists of answers, each with its
``text`` and its ``start`` in the context; a prediction is a text.

A question without an answer has the single answer "" (start -1), as in SQuAD 2.0's official script.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from constrictor.data.batching import UNLABELLED, Arrays, RawOutputs, Text
from constrictor.data.examples import Examples
from constrictor.models.head import Head
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.kind import Features, Kind
from constrictor.tasks.measure import Measure
from constrictor.tasks.own_head import order_of_outputs
from constrictor.tasks.question_answering.metrics import (
    best_null_threshold,
    exact_match,
    normalise,
    scores_of,
    token_f1,
)
from constrictor.tasks.question_answering.spans import best_answers, cross_entropy
from constrictor.tasks.question_answering.windows import NO_ANSWER, answer_tokens, windows_of

if TYPE_CHECKING:
    from constrictor.data.tokenization import Tokenizer

START, END = "start", "end"
ANSWER, SCORE, NULL_SCORE = "answer", "score", "null_score"


class QuestionAnswering(Kind):
    """A span of the context, or none."""

    per_token = True
    grouped_by_length = False  # the longest windows are those of long contexts, and most of them hold no answer
    reads_first_token = False
    longer_inputs = "split into windows"
    without_a_class = "leave the questions without an answer out with 'unanswerable: drop'"

    def __init__(self, record: TaskRecord) -> None:
        super().__init__(record)
        self.unanswerable = bool(record.options["unanswerable"])
        scores = {"f1": token_f1, "exact_match": exact_match}
        self._scores = {name: partial(scores_of, score, self.unanswerable) for name, score in scores.items()}
        self.measures = {
            name: Measure(partial(_terms, score), _mean, right=_first if name == "exact_match" else None)
            for name, score in self._scores.items()
        }

    # Examples

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """Whether a question has an answer."""
        return has_answer(labels).astype(np.int64)

    def groups(self, examples: Examples) -> np.ndarray:
        """Questions about one context belong together: training on some of them is an advantage on the others."""
        codes: dict[str, int] = {}
        contexts = [" ".join(pair[1].split()) for pair in examples.texts]
        return np.array([codes.setdefault(context, len(codes)) for context in contexts])

    def count(self, labels: np.ndarray) -> dict[str, int]:
        """Questions with and without an answer, where there are such without."""
        if not self.unanswerable:
            return {}
        answerable = int(has_answer(labels).sum())
        return {"answerable": answerable, "unanswerable": len(labels) - answerable}

    def is_labelled(self, labels: np.ndarray) -> np.ndarray:
        """Examples of a corpus have no answers."""
        return np.full(len(labels), labels.dtype == object)

    # Encoding

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Text]) -> Features:
        """The windows of some inputs; their details hold the places of the tokens in the context."""
        return windows_of(tokenizer, inputs, int(self.record.options["stride"]))

    def targets(self, features: Features, labels: np.ndarray) -> Arrays:
        """First and last token of the first answer in each window; token 0 in a window that does not contain it."""
        if labels.dtype != object:
            return {name: np.full(len(features.encoded), UNLABELLED, np.int64) for name in (START, END)}
        pairs = zip(features.details, features.example, strict=True)
        found = np.array([answer_tokens(window, labels[number][0]) for window, number in pairs], np.int64)
        return {START: found[:, 0], END: found[:, 1]}

    # Model

    @property
    def head(self) -> Head:
        """A span head: a start and an end logit per token."""
        outputs = {START: "start_logits", END: "end_logits"}
        return Head(
            "AutoModelForQuestionAnswering",
            [START, END],
            outputs,
            {},
            "QUESTION_ANS",
            "question answering model",
            partial(order_of_outputs, names=[START, END], labelled=False),
        )

    def output_shapes(self, batch: int, length: int) -> dict[str, tuple[int, ...]]:
        """A logit per token, twice."""
        return {START: (batch, length), END: (batch, length)}

    # Outputs

    def decode(self, raw: RawOutputs, features: Features, inputs: Sequence[Text]) -> Arrays:
        """The best span over all windows of each question, its score, and that of no answer."""
        limit = int(self.record.options["max_answer_length"])
        found = best_answers(list(raw[START]), list(raw[END]), features, [pair[1] for pair in inputs], limit)
        return {ANSWER: found.texts, SCORE: found.scores, NULL_SCORE: found.null_scores}

    def predict(self, outputs: Arrays) -> np.ndarray:
        """The answers ``(examples,)``; where questions may have none, "" if that has the higher score."""
        return self.predict_at(outputs, np.zeros(1)) if self.unanswerable else outputs[ANSWER]

    def predict_at(self, outputs: Arrays, thresholds: np.ndarray) -> np.ndarray:
        """The answers, "" where the score of no answer is more than a threshold above that of the best span."""
        found = outputs[ANSWER].copy()
        found[_null_margin(outputs) > thresholds[0]] = NO_ANSWER
        return found

    def tune(self, outputs: Arrays, labels: np.ndarray, metric: str) -> np.ndarray | None:
        """The null threshold with the highest metric; None where every question has an answer."""
        if not self.unanswerable:
            return None
        score = self._scores[metric]
        answered = score(labels, outputs[ANSWER])
        unanswered = score(labels, np.full(len(labels), NO_ANSWER, dtype=object))
        return np.array([best_null_threshold(_null_margin(outputs), answered, unanswered)])

    def losses(self, raw: RawOutputs, targets: Arrays) -> np.ndarray:
        """Mean of the cross-entropies of start and end."""
        return np.mean([cross_entropy(list(raw[name]), targets[name]) for name in (START, END)], axis=0)

    def details(self, labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """The metrics of questions with and without an answer, where there are such without."""
        if not self.unanswerable:
            return {}
        answerable = has_answer(labels)
        return {
            name: {"examples": int(rows.sum()), **self.scores(labels[rows], predictions[rows])}
            for name, rows in {"answerable": answerable, "unanswerable": ~answerable}.items()
            if rows.any()
        }

    def agreement(self, predictions: np.ndarray, others: np.ndarray) -> float:
        """Share of questions with the same answer, normalised as for the metrics."""
        same = [normalise(one) == normalise(other) for one, other in zip(predictions, others, strict=True)]
        return float(np.mean(same))

    def output_difference(self, outputs: Arrays, others: Arrays) -> float:
        """Mean absolute difference of the score of the best span."""
        return float(np.abs(outputs[SCORE] - others[SCORE]).mean())


def has_answer(labels: np.ndarray) -> np.ndarray:
    """``(questions,)`` whether each has an answer."""
    return np.array([answers[0]["text"] != NO_ANSWER for answers in labels], dtype=bool)


def _null_margin(outputs: Arrays) -> np.ndarray:
    """``(questions,)`` by how much the score of no answer exceeds that of the best span."""
    margin: np.ndarray = outputs[NULL_SCORE] - outputs[SCORE]
    return margin


def _terms(score: Any, labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """``(questions, 2)``: a score, and 1 to count the questions by."""
    return np.stack([score(labels, predictions), np.ones(len(labels))], axis=1)


def _mean(sums: np.ndarray) -> np.ndarray:
    found: np.ndarray = sums[..., 0] / sums[..., 1]
    return found


def _first(terms: np.ndarray) -> np.ndarray:
    return terms[:, 0]


KIND = QuestionAnswering
