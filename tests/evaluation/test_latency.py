import json
import os
import signal

import numpy as np
import pytest

from constrictor.artifacts.manifest import read_manifest
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.evaluation import latency
from constrictor.evaluation.latency import Worker, measure_latency, round_ratios
from constrictor.evaluation.latency_worker import full_batch
from constrictor.study.study import Latency

SETTINGS = Latency(batch_sizes=[1, 4], lengths=[8, 32, 128], rounds=3, seconds=0.01)
TEXTS = ["the film was great", "the plot was awful indeed"]


@pytest.mark.parametrize("candidate", ["torch", "onnx"])
def test_latency_of_a_model_in_turn_with_another(candidate, tiny_teacher, tiny_onnx, tiny_task, tmp_path, monkeypatch):
    monkeypatch.setattr(latency, "COLD_STARTS", 1)
    folders = {"torch": tiny_teacher, "onnx": tiny_onnx}
    artifact, other = folders.pop(candidate), next(iter(folders.values()))
    measure_latency(artifact, {"other": other}, tiny_task, SETTINGS, tmp_path / "latency.json", threads=1)
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


def test_shapes_above_the_tasks_length_cannot_be_timed(tiny_teacher, tiny_task, tmp_path):
    with pytest.raises(ConstrictorError, match=r"above the task's max_length of 32 tokens"):
        measure_latency(tiny_teacher, {}, tiny_task, Latency(lengths=[64]), tmp_path / "x.json", threads=1)


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


def test_inputs_are_full_and_of_real_tokens(tiny_teacher):
    tokenizer = Tokenizer(tiny_teacher, 32)
    batch = full_batch(tokenizer, TEXTS, 3, 16)
    assert batch["input_ids"].shape == (3, 16)
    assert batch["attention_mask"].all()
    assert (batch["input_ids"][:, 0] == 2).all()
    assert (batch["input_ids"][:, -1] == 3).all()
    body = np.concatenate([ids[1:-1] for ids in tokenizer.encode(TEXTS)])
    assert batch["input_ids"][0, 1:-1].tolist() == np.resize(body, 14).tolist()


def test_speedup_is_old_over_new_within_a_round():
    assert round_ratios([[4.0, 400.0, 4.0], [9.0]], [[2.0, 2.0], [3.0, 1.0, 5.0]]) == [2.0, 3.0]
