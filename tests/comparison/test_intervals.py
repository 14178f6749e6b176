import math

import numpy as np
import pytest
from heads import kind_with
from scipy import stats
from sklearn.metrics import f1_score

from constrictor.comparison.intervals import Interval, Replicated, Spread, interval, scores

MEASURES = kind_with(["a", "b", "c"]).measures
accuracy, macro_f1, mcc = (MEASURES[name] for name in ("accuracy", "macro_f1", "mcc"))
pearson = kind_with(["score"], "regression").measures["pearson"]


def predictions(seed: int, share: float, examples: int = 150, classes: int = 3, replicates: int = 1) -> Replicated:
    labels = np.random.default_rng(99).integers(0, classes, examples)
    generator = np.random.default_rng(seed)
    right = generator.random((replicates, examples)) < share
    return Replicated(labels, np.where(right, labels, (labels + 1) % classes))


def test_interval_of_one_model_s_accuracy_is_wilsons():
    found = predictions(1, 0.8)
    right = int((found.predictions[0] == found.labels).sum())
    theirs = stats.binomtest(right, 150).proportion_ci(method="wilson")
    assert tuple(interval(scores(accuracy, found))) == pytest.approx((right / 150, theirs.low, theirs.high, False))


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_wilson_s_interval_also_holds_for_few_errors(wrong):
    labels = np.zeros(80, int)
    guessed = labels.copy()
    guessed[:wrong] = 1
    theirs = stats.binomtest(80 - wrong, 80).proportion_ci(method="wilson")
    found = interval(scores(accuracy, Replicated(labels, guessed[None])))
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert not found.few


@pytest.mark.parametrize("measure", [macro_f1, mcc])
def test_interval_of_other_metrics_is_close_to_scipys_bca_bootstrap(measure):
    found = predictions(1, 0.8, examples=600)
    terms = measure.terms(found.labels, found.predictions[0]).astype(float)
    theirs = stats.bootstrap(
        (np.arange(600),), lambda rows: measure.value(terms[rows].sum(axis=0)), n_resamples=1500, vectorized=False, rng=1
    ).confidence_interval  # fmt: skip
    ours = interval(scores(measure, found))
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.07 * width)


def test_interval_of_a_correlation_is_close_to_scipys_bca_bootstrap():
    generator = np.random.default_rng(3)
    labels = generator.normal(size=400)
    found = Replicated(labels, (labels + generator.normal(size=400))[None])
    theirs = stats.bootstrap(
        (labels, found.predictions[0]), lambda x, y: stats.pearsonr(x, y).statistic,
        n_resamples=1500, paired=True, vectorized=False, rng=1,
    ).confidence_interval  # fmt: skip
    ours = interval(scores(pearson, found))
    assert ours.value == pytest.approx(stats.pearsonr(labels, found.predictions[0]).statistic)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.07 * (theirs.high - theirs.low))


def test_the_value_is_the_mean_of_the_replicates():
    three = predictions(5, 0.8, replicates=3)
    values = [f1_score(three.labels, found, average="macro") for found in three.predictions]
    assert interval(scores(macro_f1, three)).value == pytest.approx(np.mean(values))


def test_an_interval_for_the_recipe_is_that_of_students_test_where_all_examples_are_alike():
    # Every example decides by itself in every training, so that nothing is shared but the recipe.
    found = scores(accuracy, predictions(5, 0.7, examples=4000, replicates=4))
    spread = np.std(found.values, ddof=1) / 2
    half = stats.t.isf(0.025, 3) * spread
    ours = interval(found)
    assert found.over_trainings
    assert (ours.high - ours.low) / 2 == pytest.approx(half, rel=0.1)


def test_models_that_no_training_parts_have_the_interval_of_one():
    one = predictions(5, 0.8, examples=4000)
    three = Replicated(one.labels, np.repeat(one.predictions, 3, axis=0))
    assert tuple(interval(scores(macro_f1, three))) == pytest.approx(tuple(interval(scores(macro_f1, one))))


def test_trainings_that_differ_widen_the_interval_for_the_recipe_alone():
    labels = predictions(0, 1, examples=500).labels
    levels = np.concatenate(
        [predictions(seed, share, examples=500).predictions for seed, share in ((1, 0.7), (2, 0.9))]
    )
    recipe = interval(scores(macro_f1, Replicated(labels, levels)))
    models = interval(scores(macro_f1, Replicated(labels, levels), over_trainings=False))
    assert recipe.value == models.value
    assert recipe.high - recipe.low > 5 * (models.high - models.low)


def test_half_width_of_two_sources():
    z, t = stats.norm.isf(0.025), stats.t.isf(0.025, 2)
    expected = math.sqrt(z**2 * 4 + t**2 * 3 * 3 / (3 + 4 / 8))
    assert Spread(4.0, 3.0, 2).half_width() == pytest.approx(expected)
    assert Spread(4.0).half_width(0.6) == pytest.approx(2 * stats.norm.isf(0.2))


def test_a_metric_that_few_examples_decide_has_no_interval():
    labels = np.array([0] * 80 + [1] * 2)
    guessed = labels.copy()
    guessed[[0, 80]] = [1, 0]
    found = interval(scores(kind_with(["a", "b"]).measures["f1"], Replicated(labels, guessed[None])))
    assert found.few
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_an_accuracy_over_trainings_that_few_examples_decide_is_marked_and_wide():
    labels = np.zeros(80, int)
    guessed = np.repeat(labels[None], 3, axis=0)
    guessed[0, 0] = guessed[1, 1] = 1
    found = interval(scores(accuracy, Replicated(labels, guessed)))
    one = interval(scores(accuracy, Replicated(labels, guessed[:1])))
    assert found.few
    assert found.high - found.low >= 0.9 * (one.high - one.low)


def test_an_interval_stays_within_the_bounds():
    labels = np.linspace(0, 1, 40)
    noise = np.random.default_rng(0).normal(size=40)
    found = Replicated(labels, np.stack([labels + 0.01 * noise, noise]))
    ours = interval(scores(pearson, found))
    assert -1 <= ours.low < ours.value < ours.high <= 1


def test_a_metric_without_bounds_has_a_symmetric_interval():
    labels = np.linspace(0, 1, 400)
    found = Replicated(labels, (labels + np.random.default_rng(0).normal(size=400))[None])
    ours = interval(scores(kind_with(["score"], "regression").measures["r2"], found))
    assert ours.low < -1
    assert ours.value - ours.low == pytest.approx(ours.high - ours.value)


def test_intervals_cover_the_truth_about_as_often_as_their_level():
    covered = 0
    for seed in range(400):
        found: Interval = interval(scores(accuracy, predictions(seed, 0.7, examples=100)))
        covered += found.low <= 0.7 <= found.high
    assert 0.92 <= covered / 400 <= 0.98
