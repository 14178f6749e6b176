import numpy as np
import pytest

from constrictor.runtimes import timing
from constrictor.runtimes.timing import milliseconds, milliseconds_in_turn, speed_ratio


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what is added to it: seconds in a list of one."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(timing.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


@pytest.fixture
def calls(clock):
    """By name, calls that take the given seconds one after another, the last of them again and again; and their order."""
    order = []

    def make(name: str, *seconds: float):
        left = list(seconds)

        def call() -> None:
            order.append(name)
            clock[0] += left.pop(0) if len(left) > 1 else left[0]

        return call

    return make, order


def test_all_calls_are_made_once_at_least_and_again_until_the_time_is_over(calls):
    make, order = calls
    two = [make("a", 0.25), make("b", 0.5)]
    assert milliseconds(two, 0) == [250, 500]
    assert milliseconds(two, 0.75) == [250, 500]
    assert milliseconds(two, 0.8) == [250, 500, 250, 500]
    assert "".join(order) == "ab" * 4


def test_calls_take_turns_and_the_first_of_each_does_not_count(calls):
    make, order = calls
    quick = make("q", 0.09, 0.03, 0.01, 0.02, 0.08, 0.04, 0.06)  # two turns: untimed, then 50 ms or more
    found = milliseconds_in_turn({"quick": quick, ("slow", 1): make("s", 0.12, 0.13)}, rounds=2)
    assert "".join(order) == "qqqqsqqqs"
    assert found["quick"] == pytest.approx([20, 50])  # medians of 30, 10, 20 and of 40, 60
    assert found["slow", 1] == pytest.approx([120, 130])  # a long call is made once, and counts


def test_the_shortest_call_can_stand_for_a_turn(calls):
    make, _ = calls
    found = milliseconds_in_turn({"a": make("a", 0.09, 0.03, 0.01, 0.02)}, rounds=1, typical=min)
    assert found["a"] == pytest.approx([10])


def test_ratio_is_a_median_over_rounds_and_a_geometric_mean_over_shapes():
    old, new = [np.array([2.0, 4.0, 90.0]), np.array([5.0])], [np.array([1.0, 1.0, 1.0]), np.array([5.0])]
    assert np.isclose(speed_ratio(old, new), 2.0)
    assert np.isclose(speed_ratio(new, old), 0.5)
