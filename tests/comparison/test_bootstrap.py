import numpy as np
import pytest
from heads import kind_with
from scipy import stats
from sklearn.metrics import f1_score

from constrictor.comparison import bootstrap
from constrictor.comparison.bootstrap import Replicated, interval, paired_difference
from constrictor.tasks.measure import Measure

MEASURES = kind_with(["a", "b", "c"]).measures
accuracy, macro_f1, mcc = (MEASURES[name] for name in ("accuracy", "macro_f1", "mcc"))


def _answers(seed: int, share: float, examples: int = 150, classes: int = 3, replicates: int = 1) -> Replicated:
    labels = np.random.default_rng(99).integers(0, classes, examples)
    generator = np.random.default_rng(seed)
    right = generator.random((replicates, examples)) < share
    return Replicated(labels, np.where(right, labels, (labels + 1) % classes))


@pytest.mark.parametrize("metric", [accuracy, macro_f1, mcc])
def test_equal_models_differ_by_exactly_nothing(metric):
    assert tuple(paired_difference(metric, _answers(0, 0.8), _answers(0, 0.8), 1000)) == (0, 0, 0)


def test_interval_equals_scipys_percentile_bootstrap():
    answers = _answers(1, 0.8)
    right = (answers.predictions[0] == answers.labels).astype(float)
    found = interval(accuracy, answers, 20_000)
    theirs = stats.bootstrap((right,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert found.value == pytest.approx(right.mean())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.008)


def test_paired_difference_equals_scipys_paired_bootstrap():
    model, baseline = _answers(1, 0.85), _answers(2, 0.75)
    labels = model.labels

    def difference(rows: np.ndarray) -> float:
        left, right = (
            f1_score(labels[rows], answers.predictions[0][rows], average="macro") for answers in (model, baseline)
        )
        return left - right

    found = paired_difference(macro_f1, model, baseline, 20_000)
    theirs = stats.bootstrap(
        (np.arange(len(labels)),), difference, n_resamples=600, method="percentile", vectorized=False, rng=1
    )
    assert found.value == pytest.approx(difference(np.arange(len(labels))))
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.025)


def test_interval_covers_the_truth_about_as_often_as_its_level():
    covered = 0
    for seed in range(200):
        found = interval(accuracy, _answers(seed, 0.7, examples=100), 500, seed=seed)
        covered += found.low <= 0.7 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_paired_interval_is_narrower_than_two_separate_ones():
    model = _answers(1, 0.8, examples=400)
    almost = model.predictions.copy()
    almost[0, :8] = (almost[0, :8] + 1) % 3
    found = paired_difference(accuracy, model._replace(predictions=almost), model, 2000)
    alone = interval(accuracy, model, 2000)
    assert found.high - found.low < 0.5 * (alone.high - alone.low)


def test_same_seed_gives_same_interval_and_another_seed_another():
    model, baseline = _answers(1, 0.8), _answers(2, 0.7)
    first = paired_difference(accuracy, model, baseline, 1000, seed=4)
    assert first == paired_difference(accuracy, model, baseline, 1000, seed=4)
    assert first != paired_difference(accuracy, model, baseline, 1000, seed=5)


def test_swapping_the_models_turns_the_interval_over():
    model, baseline = _answers(1, 0.8), _answers(2, 0.7)
    there, back = (paired_difference(accuracy, *pair, 1000) for pair in ((model, baseline), (baseline, model)))
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


def test_replicates_are_averaged_and_share_their_examples():
    three = _answers(5, 0.8, replicates=3)
    found = interval(macro_f1, three, 1000)
    values = [f1_score(three.labels, predictions, average="macro") for predictions in three.predictions]
    assert found.value == pytest.approx(np.mean(values))
    tripled = Replicated(three.labels, np.repeat(three.predictions[:1], 3, axis=0))
    one = interval(macro_f1, three._replace(predictions=three.predictions[:1]), 1000)
    assert tuple(interval(macro_f1, tripled, 1000)) == pytest.approx(tuple(one))


def test_draws_do_not_depend_on_the_size_of_a_chunk_of_memory(monkeypatch):
    whole = interval(accuracy, _answers(1, 0.8), 1000)
    monkeypatch.setattr(bootstrap, "_CHUNK", 150 * 7)
    assert interval(accuracy, _answers(1, 0.8), 1000) == whole


def test_every_draw_takes_as_many_examples_as_there_are():
    weights = np.concatenate(list(bootstrap._weights(40, 300, 0)))
    assert weights.shape == (300, 40)
    assert (weights.sum(axis=1) == 40).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(40), abs=0.25)


def test_other_examples_cannot_be_paired():
    model = _answers(1, 0.8)
    with pytest.raises(ValueError, match="same examples in the same order"):
        paired_difference(accuracy, model, model._replace(labels=model.labels[::-1]), 1000)


def test_as_many_draws_as_wished():
    drawn = []

    def value(sums: np.ndarray) -> np.ndarray:
        drawn.append(len(sums))
        return accuracy.value(sums)

    metric = Measure(accuracy.terms, value)
    interval(metric, _answers(1, 0.8), 1234)
    assert sum(drawn) == 1 + 1234
    drawn.clear()
    paired_difference(metric, _answers(1, 0.8), _answers(2, 0.8), 1234)
    assert sum(drawn) == 2 * (1 + 1234)


def test_interval_of_a_correlation_equals_scipys_percentile_bootstrap():
    generator = np.random.default_rng(3)
    labels = generator.normal(size=200)
    answers = Replicated(labels, (labels + generator.normal(size=200))[None])
    found = interval(kind_with(["score"], "regression").measures["pearson"], answers, 5_000)
    theirs = stats.bootstrap(
        (labels, answers.predictions[0]),
        lambda x, y: stats.pearsonr(x, y).statistic,
        n_resamples=5_000, paired=True, vectorized=False, method="percentile", rng=1,
    ).confidence_interval  # fmt: skip
    assert found.value == pytest.approx(stats.pearsonr(labels, answers.predictions[0]).statistic)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.012)
