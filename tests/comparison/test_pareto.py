from hypothesis import given
from hypothesis import strategies as st

from constrictor.comparison.pareto import pareto_front

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=14)


@given(POINTS)
def test_front_is_who_nobody_beats(points):
    def beaten(point: tuple[int, int]) -> bool:
        return any(other[0] <= point[0] and other[1] >= point[1] and other != point for other in points)

    found = pareto_front([cost for cost, _ in points], [quality for _, quality in points])
    assert sorted(found) == [index for index, point in enumerate(points) if not beaten(point)]


@given(POINTS)
def test_front_rises_in_cost_and_quality(points):
    front = [points[index] for index in pareto_front(*zip(*points, strict=True))] if points else []
    assert front == sorted(front)
    assert [quality for _, quality in front] == sorted(quality for _, quality in front)
