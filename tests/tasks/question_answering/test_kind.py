import numpy as np
import pytest

from constrictor.data.examples import Examples, object_array, unlabelled
from constrictor.models.manifest import TaskRecord
from constrictor.tasks.kind import Features
from constrictor.tasks.registry import kind_of

LABELS = object_array(
    [
        [{"text": "a cat", "start": 0}, {"text": "cat", "start": 2}],
        [{"text": "", "start": -1}],
        [{"text": "old dog", "start": 3}],
    ]
)
OUTPUTS = {
    "answer": object_array(["cat", "dog", "dog"]),
    "score": np.array([5.0, 1.0, 2.0], np.float32),
    "null_score": np.array([1.0, 2.0, 4.0], np.float32),
}  # fmt: skip


def kind(unanswerable: bool):
    options = {"stride": 4, "max_answer_length": 5, "unanswerable": unanswerable}
    return kind_of(TaskRecord(kind="question_answering", max_length=16, options=options))


def test_no_answer_is_predicted_where_it_has_the_higher_score_and_only_where_it_may():
    assert kind(True).predict(OUTPUTS).tolist() == ["cat", "", ""]
    assert kind(False).predict(OUTPUTS).tolist() == ["cat", "dog", "dog"]
    assert kind(True).predict_at(OUTPUTS, np.array([1.5])).tolist() == ["cat", "dog", ""]
    assert OUTPUTS["answer"].tolist() == ["cat", "dog", "dog"]


def test_metrics_are_means_of_terms():
    scores = kind(True).scores(LABELS, kind(True).predict(OUTPUTS))
    assert scores == {"f1": pytest.approx(2 / 3), "exact_match": pytest.approx(2 / 3)}
    scores = kind(True).scores(LABELS, OUTPUTS["answer"])
    assert scores == {"f1": pytest.approx((1 + 0 + 2 / 3) / 3), "exact_match": pytest.approx(1 / 3)}


def test_the_null_threshold_is_chosen_for_the_metric():
    # Margins are -4, 1 and 2; a threshold cannot keep the third answer and give up the second.
    assert kind(True).tune(OUTPUTS, LABELS, "exact_match") == pytest.approx([0.0])
    outputs = {**OUTPUTS, "null_score": np.array([1.0, 9.0, 4.0], np.float32)}
    assert kind(True).tune(outputs, LABELS, "f1") == pytest.approx([5.0])
    assert kind(False).tune(OUTPUTS, LABELS, "f1") is None


def test_strata_counts_and_details_distinguish_questions_without_an_answer():
    assert kind(True).strata(LABELS).tolist() == [1, 0, 1]
    assert kind(True).count(LABELS) == {"answerable": 2, "unanswerable": 1}
    assert kind(False).count(LABELS) == {}
    details = kind(True).details(LABELS, OUTPUTS["answer"])
    assert details["unanswerable"] == {"examples": 1, "f1": 0.0, "exact_match": 0.0}
    assert details["answerable"]["exact_match"] == 0.5
    assert kind(False).details(LABELS, OUTPUTS["answer"]) == {}


def test_questions_about_one_context_are_a_group():
    pairs = [("q", "one text"), ("r", "another"), ("s", "one  text")]
    assert kind(False).groups(Examples(["a", "b", "c"], pairs, LABELS)).tolist() == [0, 1, 0]


def test_models_agree_on_predictions_as_the_metric_sees_them():
    assert kind(True).agreement(object_array(["The cat", "dog"]), object_array(["cat.", "cat"])) == 0.5
    assert kind(True).output_difference(OUTPUTS, {**OUTPUTS, "score": OUTPUTS["score"] + 0.5}) == 0.5


def test_examples_without_answers_have_no_targets():
    texts = unlabelled(["a"], [("q", "c")])
    assert kind(False).is_labelled(texts.labels).tolist() == [False]
    assert kind(False).is_labelled(LABELS).all()
    targets = kind(False).targets(Features([np.zeros((3, 2))] * 2, np.zeros(2, int), np.array([3])), texts.labels)
    assert {name: values.tolist() for name, values in targets.items()} == {"start": [-100, -100], "end": [-100, -100]}
