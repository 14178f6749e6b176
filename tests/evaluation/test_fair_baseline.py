"""The search for the fastest float32 baseline; the processes that are timed are replaced by ones with known times."""

import json

import numpy as np
import pytest

from constrictor.evaluation import fair_baseline as subject
from constrictor.evaluation.fair_baseline import find_fair_baseline
from constrictor.evaluation.workers import Turn
from constrictor.machine import processor
from constrictor.study.report import Latency

SETTINGS = Latency(batch_sizes=[1], lengths=[8, 32, 64, "task"], rounds=3, seconds=0.01, compiled=True)

# Milliseconds by variant and length. By the mean, which long inputs rule, eager would win; over all shapes sdpa does.
TIMES = {
    "sdpa": {8: 1.0, 32: 8.0, "task": 4.0},
    "eager": {8: 2.0, 32: 6.0, "task": 4.0},
    "compiled": {8: 4.0, 32: 9.0, "task": 9.0},
}


@pytest.fixture
def started(monkeypatch):
    """Replaces the processes; the list of those that were started, as (model, variant, threads)."""
    found = []

    class Worker:
        def __init__(self, folder, texts, threads, variant):
            assert len(texts) > 1
            found.append((folder.name, variant, threads))
            self.name, self.variant = folder.name, variant

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def warm_up(self, shape):
            pass

        def time(self, batch, length, seconds):
            return Turn([TIMES[self.variant][length] * (1 if self.name == "torch" else 0.5)] * 3, 0.0)

    monkeypatch.setattr(subject, "Worker", Worker)
    return found


@pytest.fixture
def search(started, tiny_teacher, tiny_task, tmp_path):
    """A function that searches by some settings and gives what was written."""

    def find(**changes) -> dict:
        file, baselines = (
            tmp_path / "fair_baseline.json",
            {"torch fp32": tmp_path / "torch", "ONNX fp32": tmp_path / "onnx"},
        )
        for folder in baselines.values():
            folder.symlink_to(tiny_teacher)
        find_fair_baseline(
            baselines, tiny_task / "validation.parquet", SETTINGS.model_copy(update=changes), file, threads=2
        )
        return json.loads(file.read_text(encoding="utf-8"))

    return find


@pytest.fixture
def compiler(monkeypatch):
    """A function that returns which compilers the machine has."""

    def have(*names: str) -> None:
        monkeypatch.setattr(subject.shutil, "which", lambda name: f"/bin/{name}" if name in names else None)

    return have


def test_the_fastest_variant_is_that_of_the_least_geometric_mean(search, started, compiler):
    compiler("g++")
    found = search()
    assert started == [("torch", "sdpa", 2), ("torch", "eager", 2), ("torch", "compiled", 2), ("onnx", "sdpa", 2)]
    assert found["milliseconds"] == {
        variant: {f"1x{length}": ms for length, ms in times.items()} for variant, times in TIMES.items()
    }  # 64 tokens are more than the model takes
    means = {variant: np.prod(list(times.values())) ** (1 / 3) for variant, times in TIMES.items()}
    assert means["sdpa"] < means["eager"]
    assert sum(TIMES["sdpa"].values()) > sum(TIMES["eager"].values())
    assert found["fastest"] == "sdpa"
    assert found["not_tried"] == found["disturbed"] == {}
    # What later jobs are held against.
    sdpa = {"1x8": 1.0, "1x32": 8.0, "1xtask": 4.0}
    assert found["baselines"] == {"torch fp32": sdpa, "ONNX fp32": {shape: ms / 2 for shape, ms in sdpa.items()}}
    assert (found["threads"], found["processor"]) == (2, processor())


def test_the_shapes_decide(search):
    assert search(lengths=[32])["fastest"] == "eager"


@pytest.mark.parametrize(
    ("asked", "compilers", "reason"),
    [(False, ["c++"], "not requested"), (True, [], "no C++ compiler"), (True, ["c++"], None)],
)
def test_compilation_competes_where_it_is_requested_and_can_work(search, compiler, asked, compilers, reason):
    compiler(*compilers)
    found = search(compiled=asked)
    assert ("compiled" in found["milliseconds"]) == (reason is None)
    assert list(found["not_tried"]) == ([] if reason is None else ["compiled"])
    if reason is not None:
        assert reason in found["not_tried"]["compiled"]


def test_real_processes_are_timed(tiny_onnx, tiny_task, tmp_path):
    settings = Latency(batch_sizes=[2], lengths=["task"], rounds=3, seconds=0.001, attempts=1)
    find_fair_baseline(
        {"torch fp32": tiny_onnx}, tiny_task / "validation.parquet", settings, tmp_path / "found.json", threads=1
    )
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert set(found["milliseconds"]) == {"sdpa", "eager"}
    assert all(times["2xtask"] > 0 for times in found["milliseconds"].values())
    assert found["fastest"] == min(found["milliseconds"], key=lambda name: found["milliseconds"][name]["2xtask"])
