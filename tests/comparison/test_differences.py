import math

import numpy as np
import pytest
from heads import kind_with
from scipy import stats
from sklearn.metrics import f1_score

from constrictor.comparison.differences import paired_difference
from constrictor.comparison.intervals import Replicated, interval, scores

MEASURES = kind_with(["a", "b", "c"]).measures
accuracy, macro_f1, mcc = (MEASURES[name] for name in ("accuracy", "macro_f1", "mcc"))


def predictions(seed: int, share: float, examples: int = 300, replicates: int = 1) -> Replicated:
    labels = np.random.default_rng(99).integers(0, 3, examples)
    right = np.random.default_rng(seed).random((replicates, examples)) < share
    return Replicated(labels, np.where(right, labels, (labels + 1) % 3))


def flipped(model: Replicated, examples: int) -> Replicated:
    """The model with some of its predictions changed."""
    changed = model.predictions.copy()
    changed[:, :examples] = (changed[:, :examples] + 1) % 3
    return model._replace(predictions=changed)


@pytest.mark.parametrize("measure", [accuracy, macro_f1, mcc])
def test_interval_is_close_to_scipys_bca_bootstrap_of_the_pairs(measure):
    model, baseline = predictions(1, 0.85), predictions(2, 0.75)
    terms = [measure.terms(model.labels, found.predictions[0]).astype(float) for found in (model, baseline)]

    def difference(rows: np.ndarray) -> float:
        return float(np.subtract(*(measure.value(part[rows].sum(axis=0)) for part in terms)))

    theirs = stats.bootstrap(
        (np.arange(300),), difference, n_resamples=1500, vectorized=False, rng=1
    ).confidence_interval
    found = paired_difference(scores(measure, model), scores(measure, baseline))
    assert found.value == pytest.approx(difference(np.arange(300)))
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.08 * (theirs.high - theirs.low))


def test_a_paired_interval_is_narrower_than_two_separate_ones():
    model = predictions(1, 0.8)
    found = paired_difference(scores(accuracy, flipped(model, 20)), scores(accuracy, model))
    alone = interval(scores(accuracy, model))
    assert found.high - found.low < 0.75 * (alone.high - alone.low)


def test_swapping_the_models_turns_the_interval_over():
    model, baseline = (scores(mcc, predictions(seed, share)) for seed, share in ((1, 0.8), (2, 0.7)))
    there, back = paired_difference(model, baseline), paired_difference(baseline, model)
    assert (there.value, there.low, there.high, there.p) == pytest.approx((-back.value, -back.high, -back.low, back.p))


def test_other_examples_cannot_be_paired():
    model = scores(accuracy, predictions(1, 0.8))
    other = scores(accuracy, predictions(1, 0.8)._replace(labels=predictions(1, 0.8).labels[::-1]))
    with pytest.raises(ValueError, match="same examples in the same order"):
        paired_difference(model, other)


def test_equal_models_have_the_interval_of_bonett_and_price_and_are_marked():
    model = scores(accuracy, predictions(0, 0.8))
    found = paired_difference(model, model)
    half = stats.norm.isf(0.025) * math.sqrt(2) / 302
    assert (found.value, found.low, found.high, found.p) == pytest.approx((0, -half, half, 1))
    assert found.few


def test_few_examples_that_differ_give_the_interval_of_bonett_and_price():
    model = predictions(1, 0.8)
    other = flipped(model, 6)
    found = paired_difference(scores(accuracy, other), scores(accuracy, model))
    right = [each.predictions[0] == each.labels for each in (other, model)]
    gained, lost = int((right[0] > right[1]).sum()), int((right[0] < right[1]).sum())
    assert found.few
    better, worse = (gained + 1) / 302, (lost + 1) / 302
    theirs = math.sqrt((better + worse - (better - worse) ** 2) / 302)
    assert (found.high - found.low) / 2 == pytest.approx(stats.norm.isf(0.025) * theirs, rel=0.02)


def test_nothing_is_known_where_neither_models_nor_differences_decide():
    labels = np.array([0] * 80 + [1] * 2)
    model, baseline = Replicated(labels, labels[None]), Replicated(labels, np.zeros((1, 82), int))
    f1 = kind_with(["a", "b"]).measures["f1"]
    found = paired_difference(scores(f1, model), scores(f1, baseline))
    assert found.few
    assert all(map(math.isnan, (found.low, found.high, found.p, found.detectable)))


def test_p_of_two_models_accuracy_is_mcnemars():
    model, baseline = predictions(1, 0.85), predictions(2, 0.75)
    right = [found.predictions[0] == found.labels for found in (model, baseline)]
    gained, lost = int((right[0] > right[1]).sum()), int((right[0] < right[1]).sum())
    found = paired_difference(scores(accuracy, model), scores(accuracy, baseline))
    assert found.p == pytest.approx(stats.binomtest(gained, gained + lost).pvalue)


@pytest.mark.parametrize(("measure", "replicates"), [(macro_f1, 1), (accuracy, 3)])
def test_p_of_other_differences_belongs_to_the_interval(measure, replicates):
    model, baseline = predictions(1, 0.82, replicates=replicates), predictions(2, 0.75, replicates=replicates)
    found = paired_difference(scores(measure, model), scores(measure, baseline))
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_a_child_is_compared_with_its_own_teacher():
    # The trainings differ by ten points, but a child loses one point against its teacher every time.
    examples = 4000
    labels = np.zeros(examples, int)
    teachers, children = np.zeros((2, 3, examples), int)
    for seed, share in enumerate((0.9, 0.85, 0.8)):
        wrong = np.arange(int(examples * (1 - share)))
        teachers[seed, wrong] = 1
        children[seed, wrong] = 1
        children[seed, -40:] = 1
    model, baseline = (scores(accuracy, Replicated(labels, found)) for found in (children, teachers))
    found = paired_difference(model, baseline)
    assert found.value == pytest.approx(-0.01)
    assert found.high - found.low < 0.01
    assert interval(model).high - interval(model).low > 0.1


def test_the_detectable_difference_is_found_in_four_of_five_studies():
    size = paired_difference(*(scores(accuracy, predictions(seed, 0.8, 500)) for seed in (1001, 1002))).detectable
    found = 0
    for seed in range(200):
        model, baseline = predictions(seed, 0.8 + size / 2, 500), predictions(seed + 500, 0.8 - size / 2, 500)
        difference = paired_difference(scores(accuracy, model), scores(accuracy, baseline))
        found += difference.low > 0
    assert 0.7 <= found / 200 <= 0.9


def test_a_metric_s_difference_is_that_of_the_means():
    model, baseline = predictions(1, 0.8, replicates=2), predictions(2, 0.75, replicates=2)
    means = [
        np.mean([f1_score(each.labels, one, average="macro") for one in each.predictions]) for each in (model, baseline)
    ]
    assert paired_difference(scores(macro_f1, model), scores(macro_f1, baseline)).value == pytest.approx(
        means[0] - means[1]
    )
