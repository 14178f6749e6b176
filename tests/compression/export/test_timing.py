import time

import numpy as np

from constrictor.compression.export.timing import milliseconds_in_turn, speed_ratio


def test_calls_take_turns_and_a_long_one_is_made_once_a_round():
    order = []

    def call(name, seconds):
        order.append(name)
        time.sleep(seconds)

    found = milliseconds_in_turn({"long": lambda: call("long", 0.12), "short": lambda: call("short", 0.02)}, rounds=2)
    assert [name for name, previous in zip(order, [None, *order], strict=False) if name != previous] == [
        "long",
        "short",
    ] * 2
    assert order.count("long") == 2
    assert order.count("short") >= 4  # one untimed and at least one timed in each round
    assert found["long"].shape == (2,)
    assert (found["long"] >= 120).all()
    assert (found["short"] >= 20).all()


def test_ratio_is_a_median_over_rounds_and_a_geometric_mean_over_shapes():
    old, new = [np.array([2.0, 4.0, 90.0]), np.array([5.0])], [np.array([1.0, 1.0, 1.0]), np.array([5.0])]
    assert np.isclose(speed_ratio(old, new), 2.0)
    assert np.isclose(speed_ratio(new, old), 0.5)
