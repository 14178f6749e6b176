import numpy as np
import pytest
from heads import kind_with
from scipy import stats

from constrictor.comparison.influence import deciding, influence

MEASURES = {
    **{name: (measure, "classes") for name, measure in kind_with(["a", "b", "c"]).measures.items()},
    **{name: (measure, "labels") for name, measure in kind_with(["a", "b"], "multilabel").measures.items()},
    **{name: (measure, "values") for name, measure in kind_with(["score"], "regression").measures.items()},
}


def _terms(measure, data: str, examples: int = 60) -> np.ndarray:
    generator = np.random.default_rng(0)
    if data == "values":
        labels = generator.normal(3, 1, examples)
        return measure.terms(labels, labels + generator.normal(size=examples)).astype(float)
    shape = (examples, 2) if data == "labels" else examples
    labels, others = (generator.integers(0, 2 if data == "labels" else 3, shape) for _ in range(2))
    return measure.terms(labels, np.where(generator.random(shape) < 0.7, labels, others)).astype(float)


@pytest.mark.parametrize("name", MEASURES)
def test_influence_is_the_derivative_of_the_metric_by_the_weight_of_an_example(name):
    measure, data = MEASURES[name]
    terms = _terms(measure, data)
    found = influence(measure, terms)
    assert found.mean() == pytest.approx(0, abs=1e-9)
    for number in (0, 17, 41):
        weights = np.ones(len(terms))
        ends = []
        for step in (1e-4, -1e-4):
            weights[number] = 1 + step
            ends.append(measure.value(weights @ terms))
        assert found[number] == pytest.approx(len(terms) * (ends[0] - ends[1]) / 2e-4, abs=1e-3)


def test_standard_error_equals_that_of_the_jackknife():
    measure, data = MEASURES["mcc"]
    terms = _terms(measure, data, examples=400)
    without = np.array([measure.value(np.delete(terms, number, axis=0).sum(axis=0)) for number in range(400)])
    jackknife = np.sqrt(399 / 400 * ((without - without.mean()) ** 2).sum())
    assert np.sqrt((influence(measure, terms) ** 2).sum()) / 400 == pytest.approx(jackknife, rel=0.02)


def test_accuracy_s_influences_are_what_is_above_the_mean():
    terms = kind_with(["a", "b"]).measures["accuracy"].terms(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
    assert influence(kind_with(["a", "b"]).measures["accuracy"], terms.astype(float)) == pytest.approx(
        [0.25] * 3 + [-0.75]
    )


def test_deciding_examples():
    assert deciding(np.zeros(5)) == 0
    assert deciding(np.array([1.0] * 7 + [0.0] * 90)) == pytest.approx(7)
    normal = np.random.default_rng(0).normal(size=20_000)
    assert deciding(normal) == pytest.approx(20_000 / stats.kurtosis(normal, fisher=False), rel=1e-3)
