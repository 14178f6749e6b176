import dataclasses
from pathlib import Path

import matplotlib as mpl
import pytest

from constrictor.comparison.intervals import Interval
from constrictor.comparison.plots import plot_quality_latency, plot_stages
from constrictor.comparison.row import Row
from constrictor.comparison.speed import disturbance_notes, format_jitter, format_speedup, mark_strays

NAMES = ["a", "b", "c", "d", "e"]


def _shape(milliseconds: float, **changes) -> dict:
    return {
        "batch": 1, "length": 32, "threads": 2, "p50_ms": 1.0, "disturbed": [],
        "speedup": {"torch fp32": 20.7, "ONNX fp32": 2.0},
        "speedup_interval": {"torch fp32": [19.0, 23.5], "ONNX fp32": [1.9, 2.2]},
        "baseline_p50_ms": {"torch fp32": milliseconds, "ONNX fp32": 2.0},
        "baseline_jitter": {"torch fp32": 0.034, "ONNX fp32": 0.5}, **changes,
    }  # fmt: skip


def _row(recipe: str, *shapes: dict, processor: str = "A processor") -> Row:
    """A row of which only the speed is known."""
    row = Row.__new__(Row)
    for field in dataclasses.fields(Row):
        object.__setattr__(row, field.name, None)
    object.__setattr__(row, "recipe", recipe)
    object.__setattr__(row, "lineage", recipe)
    object.__setattr__(
        row,
        "latency",
        {"processor": {"name": processor, "cores": 2}, "search_disturbed": False, "shapes": list(shapes)},
    )
    return row


def _marks(rows: list[Row]) -> dict[str, list[list[str]]]:
    return {row.recipe: [shape["disturbed"] for shape in row.latency["shapes"]] for row in mark_strays(rows)}


def test_a_job_whose_baseline_strays_from_those_of_the_other_jobs_is_marked():
    rows = [_row(name, _shape(8.0 + position / 10)) for position, name in enumerate(NAMES)]
    assert not any(map(any, _marks(rows).values()))
    rows[2] = _row("c", _shape(24.0), _shape(80.0, batch=8))
    assert _marks(rows) == {
        **{name: [[]] for name in "abde"},
        "c": [["torch fp32 took 2.96 times as long as in other jobs"], []],
    }
    assert rows[2].latency["shapes"][0]["disturbed"] == []  # what was measured stays as it was


def test_two_quiet_jobs_of_five_show_that_three_were_disturbed():
    times = [8.0, 8.1, 24.0, 25.0, 26.0]
    marks = _marks([_row(name, _shape(time)) for name, time in zip(NAMES, times, strict=True)])
    assert [bool(marks[name][0]) for name in NAMES] == [False, False, True, True, True]


def test_only_jobs_of_one_kind_of_machine_are_compared():
    rows = [_row("a", _shape(8.0)), _row("b", _shape(8.0)), _row("c", _shape(24.0), processor="A slower one")]
    assert not any(map(any, _marks(rows).values()))
    rows = [_row("a", _shape(8.0)), _row("b", _shape(8.0)), _row("c", _shape(24.0, threads=1))]
    assert not any(map(any, _marks(rows).values()))


def test_a_disturbed_speed_up_is_marked_wherever_it_stands():
    shape = _shape(8.0, disturbed=["the model waited 30 % of its time for a processor", "and more"])
    assert format_speedup(shape, "torch fp32") == "×20.70 [19.00, 23.50] disturbed"
    assert format_jitter(shape) == "±3.4 %"  # of the torch baseline
    first, reasons, advice = disturbance_notes([_row("a", _shape(8.0), _shape(8.0)), _row("b", shape)])
    assert first == "**The machine was too busy to trust all speeds. What was disturbed:**"
    assert reasons == "- `b` at 1×32 on 2 threads: the model waited 30 % of its time for a processor; and more"
    assert "latency.json" in advice
    quiet = _row("a", _shape(8.0))
    assert disturbance_notes([quiet]) == []
    quiet.latency["search_disturbed"] = True
    assert "the search for the fastest mode" in disturbance_notes([quiet])[1]


def test_make_run_finds_what_the_table_says_of_a_busy_machine():
    first, *_ = disturbance_notes([_row("a", _shape(8.0, disturbed=["noise"]))])
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    (searched,) = [line.split('"')[1] for line in makefile.splitlines() if "grep -qF" in line]
    assert searched in first


def _drawable(recipe: str, shape: dict) -> Row:
    row = _row(recipe, shape)
    object.__setattr__(row, "test", Interval(0.8, 0.7, 0.9))
    object.__setattr__(row, "bytes", 1_000_000)
    return row


@pytest.mark.parametrize("plot", [plot_quality_latency, plot_stages])
def test_pictures_mark_what_was_disturbed(plot, tmp_path):
    rows = [_drawable("steady", _shape(8.0)), _drawable("shaken", _shape(8.0, disturbed=["noise"]))]
    margin = (0.01,) if plot is plot_quality_latency else ()
    with mpl.rc_context({"svg.fonttype": "none"}):
        plot(rows, "accuracy", *margin, tmp_path / "picture.svg")
    text = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    assert text.count("(disturbed)") == 1
