import json
import os
import signal

import pytest

from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.evaluation import latency, steadiness
from constrictor.evaluation.fair_baseline import FairBaseline
from constrictor.evaluation.latency import measure_latency
from constrictor.evaluation.latency_worker import inputs_of
from constrictor.evaluation.workers import Turn, Worker
from constrictor.machine import processor
from constrictor.models.manifest import read_manifest
from constrictor.study.report import Latency

SETTINGS = Latency(batch_sizes=[1, 4], lengths=[8, 32, 128], rounds=3, seconds=0.01, attempts=1)
TEXTS = ["the film was great", "the plot was awful indeed"]


def fair(alone: dict[str, float] | None = None, threads: int = 1) -> FairBaseline:
    """A record of the baseline: torch models compute in the variant `eager`, and the baselines took this long alone."""
    baselines = {"torch fp32": alone} if alone else {}
    return FairBaseline(
        fastest="eager", milliseconds={}, baselines=baselines, not_tried={}, disturbed={}, threads=threads,
        processor=dict(processor()),
    )  # fmt: skip


@pytest.mark.parametrize("candidate", ["torch", "onnx"])
def test_latency_of_a_model_in_turn_with_another(candidate, tiny_teacher, tiny_onnx, tiny_task, tmp_path):
    folders = {"torch": tiny_teacher, "onnx": tiny_onnx}
    artifact, other = folders.pop(candidate), next(iter(folders.values()))
    measure_latency(
        artifact, {"other": other}, tiny_task / "validation.parquet", SETTINGS, tmp_path / "latency.json", 1, fair()
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
        low, high = shape["speedup_interval"]["other"]
        assert 0 < low <= shape["speedup"]["other"] <= high
        assert shape["baseline_jitter"]["other"] >= 0
        assert 0 <= shape["waiting"] <= 1
        assert shape["baseline_p50_ms"]["other"] > 0
    if candidate == "onnx":
        assert found["peak_memory_bytes"] < found["baseline_peak_memory_bytes"]["other"]


class Machine:
    """Processes with known times, in place of real ones.

    A model that is called ``candidate`` takes one millisecond a token and input on one thread and half of it on two, another
    twice as long; an input of the task has five tokens.

    Attributes:
        started: the processes that were started: model, threads and variant.
        slowed: what makes a turn slower, by model and number of its process.
        waiting: share of its time that a process waits.
    """

    def __init__(self):
        self.started, self.slowed, self.waiting = [], lambda name, process: 1.0, lambda name, process: 0.0

    def worker(self, folder, texts, threads, variant):
        self.started.append((folder.name, threads, variant))
        process = sum(name == folder.name for name, *_ in self.started)
        machine = self

        class FakeWorker:
            cold_start_seconds = 2.0
            peak_bytes = threads * 1000

            def __enter__(self):
                return self

            def __exit__(self, *error):
                pass

            def warm_up(self, shape):
                pass

            def time(self, batch, length, seconds):
                slow = (1 if folder.name == "candidate" else 2) / threads * machine.slowed(folder.name, process)
                milliseconds = slow * batch * (5 if length == "task" else length)
                return Turn([milliseconds] * 2, machine.waiting(folder.name, process))

        return FakeWorker()


@pytest.fixture
def machine(monkeypatch):
    found = Machine()
    monkeypatch.setattr(latency, "Worker", found.worker)
    monkeypatch.setattr(steadiness, "PAUSE_SECONDS", 0)
    return found


@pytest.fixture
def measured(machine, tiny_onnx, tiny_task, tmp_path):
    """A function that measures a candidate against a baseline by some settings, and gives what was written."""
    for name in ("candidate", "other"):
        (tmp_path / name).symlink_to(tiny_onnx)

    def measure(available: int, alone: dict[str, float] | None = None, **settings) -> dict:
        file, asked = tmp_path / "latency.json", Latency(rounds=3, seconds=0.01, **settings)
        baselines = {"torch fp32": tmp_path / "other"}
        measure_latency(
            tmp_path / "candidate", baselines, tiny_task / "validation.parquet", asked, file, available,
            fair(alone, available),
        )  # fmt: skip
        return json.loads(file.read_text(encoding="utf-8"))

    return measure


def test_every_shape_is_timed_on_every_number_of_threads(measured, machine):
    found = measured(2, batch_sizes=[1, 4], lengths=[8, "task"], threads=[0, 1])
    shapes = {(shape["threads"], shape["batch"], shape["length"]): shape for shape in found["shapes"]}
    assert list(shapes) == [(count, batch, length) for count in (2, 1) for batch in (1, 4) for length in (8, "task")]
    for (threads, batch, length), shape in shapes.items():
        expected = batch * (5 if length == "task" else length) / threads
        assert (shape["p50_ms"], shape["p95_ms"]) == (expected, expected)
        assert shape["calls"] == 6
        assert shape["examples_per_second"] == pytest.approx(1000 * batch / expected, abs=0.05)
        assert shape["speedup"] == {"torch fp32": 2.0}
        assert shape["speedup_interval"] == {"torch fp32": [2.0, 2.0]}
        assert (shape["baseline_jitter"], shape["attempts"], shape["disturbed"]) == ({"torch fp32": 0.0}, 1, [])
        assert shape["baseline_p50_ms"] == {"torch fp32": 2 * expected}
    # On each number of threads the baseline, and two processes of the model.
    assert [process[:2] for process in machine.started] == [
        ("other", 2), ("candidate", 2), ("candidate", 2), ("other", 1), ("candidate", 1), ("candidate", 1),
    ]  # fmt: skip
    # Memory and cold start are those on the first number of threads.
    assert (found["peak_memory_bytes"], found["baseline_peak_memory_bytes"]) == (2000, {"torch fp32": 2000})
    assert (found["threads"], found["cold_start_seconds"]) == (2, 2.0)


def test_torch_models_compute_as_the_baseline_does_fastest(measured, machine):
    found = measured(1, batch_sizes=[1], lengths=[8])
    assert {variant for _, _, variant in machine.started} == {"eager"}
    assert found["torch_variant"] == "eager"


def test_what_one_process_happens_to_be_given_is_not_taken_for_the_models_speed(measured, machine):
    machine.slowed = lambda name, process: 1.6 if (name, process) == ("candidate", 2) else 1.0
    (shape,) = measured(1, batch_sizes=[1], lengths=[8], attempts=1)["shapes"]
    low, high = shape["speedup_interval"]["torch fp32"]
    assert low < 2 / 1.6
    assert high > 2
    assert shape["disturbed"]


def test_a_job_whose_baseline_is_disturbed_measures_again(measured, machine):
    # Three times as slow and without a sign but for its time alone: 16 ms at 8 tokens, 64 ms at 32.
    machine.slowed = lambda name, process: 3.0 if (name, process) == ("other", 1) else 1.0
    short, long = measured(1, {"1x8": 16.0, "1x32": 64.0}, batch_sizes=[1], lengths=[8, 32])["shapes"]
    for shape in (short, long):
        assert (shape["speedup"], shape["attempts"], shape["disturbed"]) == ({"torch fp32": 2.0}, 2, [])
    assert [process[0] for process in machine.started].count("other") == 2


def test_only_the_disturbed_shapes_are_measured_again_and_marked_if_they_stay_so(measured, machine):
    short, long = measured(1, {"1x8": 4.0, "1x32": 64.0}, batch_sizes=[1], lengths=[8, 32], attempts=3)["shapes"]
    assert (short["attempts"], short["disturbed"]) == (3, ["torch fp32 took 4.00 times as long as alone"])
    assert (long["attempts"], long["disturbed"]) == (1, [])
    (shape,) = measured(1, {"1x8": 4.0}, batch_sizes=[1], lengths=[8], attempts=1)["shapes"]
    assert (shape["attempts"], len(shape["disturbed"])) == (1, 1)


def test_times_on_another_number_of_threads_or_processor_say_nothing(measured, monkeypatch):
    alone = {"1x8": 4.0}
    found = measured(2, alone, batch_sizes=[1], lengths=[8], threads=[0, 1])["shapes"]
    assert [bool(shape["disturbed"]) for shape in found] == [True, False]
    record = fair(alone)
    assert record.references((1, 8), 1) == {"torch fp32": 4.0}
    assert record.references((1, 9), 1) == record.references((1, 8), 2) == {}
    assert record.model_copy(update={"processor": {"name": "other"}}).references((1, 8), 1) == {}


@pytest.mark.parametrize("waits", ["candidate", "other"])
def test_a_process_that_waits_for_a_processor_is_a_disturbance(measured, machine, waits):
    machine.waiting = lambda name, process: 0.3 if name == waits else 0.0
    (shape,) = measured(1, batch_sizes=[1], lengths=[8], attempts=2)["shapes"]
    assert (shape["waiting"], shape["attempts"]) == (0.3, 2)
    assert shape["disturbed"] == [
        f"{'the model' if waits == 'candidate' else 'torch fp32'} waited 30 % of its time for a processor"
    ]


@pytest.mark.parametrize(
    ("asked", "available", "used"), [([0], 3, [3]), ([0, 1], 1, [1]), ([1, 0], 2, [1, 2]), ([2, 0], 1, [2, 1])]
)
def test_each_number_of_threads_is_used_once(measured, asked, available, used):
    found = measured(available, batch_sizes=[1], lengths=["task"], threads=asked)
    assert [shape["threads"] for shape in found["shapes"]] == used
    assert found["threads"] == available


def test_a_process_times_texts_in_their_own_lengths(tiny_onnx):
    with Worker(tiny_onnx, [*TEXTS, TEXTS[0]], 1) as worker:
        assert len(worker.time(1, "task", 0).milliseconds) == 3  # every text once
        assert len(worker.time(2, "task", 0).milliseconds) == 1  # the third would fill half a batch
        assert len(worker.time(1, 8, 0).milliseconds) == 1


def test_shapes_above_the_tasks_length_cannot_be_timed(tiny_teacher, tiny_task, tmp_path):
    with pytest.raises(ConstrictorError, match=r"above the task's max_length of 32 tokens"):
        measure_latency(
            tiny_teacher, {}, tiny_task / "validation.parquet", Latency(lengths=[64]), tmp_path / "x.json", 1, fair()
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
        once, longer = worker.time(1, 8, 0).milliseconds, worker.time(1, 8, 0.05).milliseconds
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
