import json
import os
import signal

import pytest

from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.evaluation import latency
from constrictor.evaluation.latency import measure_latency, round_ratios
from constrictor.evaluation.latency_worker import inputs_of
from constrictor.evaluation.workers import Worker
from constrictor.models.manifest import read_manifest
from constrictor.study.report import Latency

SETTINGS = Latency(batch_sizes=[1, 4], lengths=[8, 32, 128], rounds=3, seconds=0.01)
TEXTS = ["the film was great", "the plot was awful indeed"]


@pytest.mark.parametrize("candidate", ["torch", "onnx"])
def test_latency_of_a_model_in_turn_with_another(candidate, tiny_teacher, tiny_onnx, tiny_task, tmp_path, monkeypatch):
    monkeypatch.setattr(latency, "COLD_STARTS", 1)
    folders = {"torch": tiny_teacher, "onnx": tiny_onnx}
    artifact, other = folders.pop(candidate), next(iter(folders.values()))
    measure_latency(
        artifact, {"other": other}, tiny_task / "validation.parquet", SETTINGS, tmp_path / "latency.json", threads=1
    )
    found = json.loads((tmp_path / "latency.json").read_text(encoding="utf-8"))
    assert found["file_bytes"] == read_manifest(artifact).bytes
    assert (found["threads"], found["rounds"]) == (1, 3)
    assert 0.05 < found["cold_start_seconds"] < 120
    assert 30e6 < found["peak_memory_bytes"] < 4e9
    assert set(found["baseline_peak_memory_bytes"]) == {"other"}
    assert [(shape["batch"], shape["length"]) for shape in found["shapes"]] == [(1, 8), (1, 32), (4, 8), (4, 32)]
    for shape in found["shapes"]:
        assert 0 < shape["p50_ms"] <= shape["p95_ms"] < 5000
        assert shape["calls"] >= 3
        assert shape["examples_per_second"] == pytest.approx(1000 * shape["batch"] / shape["p50_ms"], rel=0.01)
        low, high = shape["speedup_range"]["other"]
        assert 0 < low <= shape["speedup"]["other"] <= high
        assert shape["baseline_p50_ms"]["other"] > 0
    if candidate == "onnx":
        assert found["peak_memory_bytes"] < found["baseline_peak_memory_bytes"]["other"]


@pytest.fixture
def started(monkeypatch):
    """Replaces the processes by ones with known times; the list of those that were started.

    A model that is called ``candidate`` takes one millisecond a token and text on one thread and half of it on two, another
    twice as long; a text of the task has five tokens.
    """
    found = []

    class FakeWorker:
        cold_start_seconds = 2.0

        def __init__(self, folder, texts, threads, variant):
            found.append((folder.name, threads, variant))
            self.slow = (1 if folder.name == "candidate" else 2) / threads
            self.peak_bytes = threads * 1000

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def time(self, batch, length, seconds):
            tokens = 5 if length == "task" else length
            return [self.slow * batch * tokens] * 2 if seconds else [1e6]

    monkeypatch.setattr(latency, "Worker", FakeWorker)
    return found


@pytest.fixture
def measured(started, tiny_onnx, tiny_task, tmp_path):
    """A function that measures a candidate against a baseline by some settings, and gives what was written."""
    for name in ("candidate", "other"):
        (tmp_path / name).symlink_to(tiny_onnx)

    def measure(available: int, **settings) -> dict:
        file, asked = tmp_path / "latency.json", Latency(rounds=3, seconds=0.01, **settings)
        baselines = {"torch fp32": tmp_path / "other"}
        measure_latency(
            tmp_path / "candidate", baselines, tiny_task / "validation.parquet", asked, file, available, "eager"
        )
        return json.loads(file.read_text(encoding="utf-8"))

    return measure


def test_every_shape_is_timed_on_every_number_of_threads(measured, started):
    found = measured(2, batch_sizes=[1, 4], lengths=[8, "task"], threads=[0, 1])
    shapes = {(shape["threads"], shape["batch"], shape["length"]): shape for shape in found["shapes"]}
    assert list(shapes) == [(count, batch, length) for count in (2, 1) for batch in (1, 4) for length in (8, "task")]
    for (threads, batch, length), shape in shapes.items():
        expected = batch * (5 if length == "task" else length) / threads
        assert (shape["p50_ms"], shape["p95_ms"]) == (expected, expected)
        assert shape["calls"] == 6
        assert shape["examples_per_second"] == pytest.approx(1000 * batch / expected, abs=0.05)
        assert shape["speedup"] == {"torch fp32": 2.0}
        assert shape["baseline_p50_ms"] == {"torch fp32": 2 * expected}
    # A lone start for the cold start, then the model and its baseline on each number of threads.
    assert [worker[:2] for worker in started] == [
        ("candidate", 2), ("candidate", 2), ("other", 2), ("candidate", 1), ("other", 1),
    ]  # fmt: skip
    # Memory and cold start are those on the first number of threads.
    assert (found["peak_memory_bytes"], found["baseline_peak_memory_bytes"]) == (2000, {"torch fp32": 2000})
    assert (found["threads"], found["cold_start_seconds"]) == (2, 2.0)


def test_torch_models_compute_as_the_baseline_does_fastest(measured, started):
    found = measured(1, batch_sizes=[1], lengths=[8])
    assert {variant for _, _, variant in started} == {"eager"}
    assert found["torch_variant"] == "eager"


@pytest.mark.parametrize(
    ("asked", "available", "used"), [([0], 3, [3]), ([0, 1], 1, [1]), ([1, 0], 2, [1, 2]), ([2, 0], 1, [2, 1])]
)
def test_each_number_of_threads_is_used_once(measured, asked, available, used):
    found = measured(available, batch_sizes=[1], lengths=["task"], threads=asked)
    assert [shape["threads"] for shape in found["shapes"]] == used
    assert found["threads"] == available


def test_a_process_times_texts_in_their_own_lengths(tiny_onnx):
    with Worker(tiny_onnx, [*TEXTS, TEXTS[0]], 1) as worker:
        assert len(worker.time(1, "task", 0)) == 3  # every text once
        assert len(worker.time(2, "task", 0)) == 1  # the third would fill half a batch
        assert len(worker.time(1, 8, 0)) == 1


def test_shapes_above_the_tasks_length_cannot_be_timed(tiny_teacher, tiny_task, tmp_path):
    with pytest.raises(ConstrictorError, match=r"above the task's max_length of 32 tokens"):
        measure_latency(
            tiny_teacher, {}, tiny_task / "validation.parquet", Latency(lengths=[64]), tmp_path / "x.json", threads=1
        )


def test_worker_that_cannot_open_its_artifact(tmp_path):
    with pytest.raises(ConstrictorError, match=rf"the process that timed {tmp_path} ended with code 1"):
        Worker(tmp_path, TEXTS, 1)


def _time_a_dead_worker(artifact) -> None:
    with Worker(artifact, TEXTS, 1) as worker:
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
        worker.time(1, 8, 0)


def test_worker_that_is_killed_between_two_commands(tiny_onnx):
    with pytest.raises(ConstrictorError, match=r"ended with code -9 \(-9 means killed"):
        _time_a_dead_worker(tiny_onnx)


def test_worker_times_calls_for_about_as_long_as_it_is_told(tiny_onnx):
    with Worker(tiny_onnx, TEXTS, 1) as worker:
        once, longer = worker.time(1, 8, 0), worker.time(1, 8, 0.05)
        assert len(once) == 1
        assert sum(longer) >= 50
        assert sum(longer[:-1]) < 50
        assert worker.cold_start_seconds > 0


def test_texts_of_the_task_keep_their_lengths(tiny_teacher):
    tokenizer = Tokenizer(tiny_teacher, 32)
    lengths = [len(ids) for ids in tokenizer.encode(TEXTS)]
    assert lengths == [6, 7]
    alone = inputs_of(tokenizer, TEXTS, 1, "task")
    assert [batch["input_ids"].shape for batch in alone] == [(1, 6), (1, 7)]
    (both,) = inputs_of(tokenizer, TEXTS, 2, "task")
    assert both["attention_mask"].sum(axis=1).tolist() == lengths  # padded in their batch
    assert both["input_ids"].shape == (2, 7)
    (full,) = inputs_of(tokenizer, TEXTS, 2, 8)
    assert full["input_ids"].shape == (2, 8)
    assert full["attention_mask"].all()
    assert full["input_ids"][:, [0, -1]].tolist() == [[2, 3]] * 2  # [CLS] and [SEP]


@pytest.mark.parametrize(("batch", "count"), [(2, 2), (3, 1), (4, 1), (5, 1), (7, 1), (12, 1)])
def test_a_batch_of_the_tasks_texts_is_always_whole(tiny_teacher, batch, count):
    found = inputs_of(Tokenizer(tiny_teacher, 32), [*TEXTS, *TEXTS[:1], *TEXTS[:2]], batch, "task")
    assert [len(inputs["input_ids"]) for inputs in found] == [batch] * count


def test_speedup_is_old_over_new_within_a_round():
    assert round_ratios([[4.0, 400.0, 4.0], [9.0]], [[2.0, 2.0], [3.0, 1.0, 5.0]]) == [2.0, 3.0]
