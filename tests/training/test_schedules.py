import math

import pytest

from constrictor.study.steps.distil import Distil
from constrictor.training.schedules import value_at


def _step(**settings) -> Distil:
    return Distil.model_validate({"stage": "distil", "student": {"layers": [0]}, **settings})


@pytest.mark.parametrize("done", [0, 0.2, 0.5, 0.9, 1])
def test_values_by_hand(done):
    alpha = _step(alpha={"from": 0.9, "to": 0.1}).alpha
    assert value_at(alpha, done) == pytest.approx(0.9 * (1 - done) + 0.1 * done)
    temperature = _step(temperature={"from": 1, "to": 5, "schedule": "cosine"}).temperature
    # Half a period of a cosine around the middle between both values.
    assert value_at(temperature, done) == pytest.approx(3 - 2 * math.cos(done * math.pi))


def test_a_number_stays_what_it_is():
    assert value_at(_step(alpha=1).alpha, 0.7) == 1.0


def test_settings_survive_their_canonical_form():
    step = _step(alpha={"from": 0.9, "to": 0.1}, temperature=3, hidden={"layers": {0: 3}}, attention={"values": True})
    assert Distil.model_validate_json(step.canonical()) == step
