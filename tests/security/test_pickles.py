"""No pickle is ever opened, wherever it lies and whatever it is called, but where a study allows it for a model's weights.

What is refused there: tests/models/test_pickled_weights.py.
"""

from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from heads import task_in, train_plan

from constrictor.data.sources import read_source
from constrictor.errors import ConstrictorError
from constrictor.models.source import fetch_model
from constrictor.study.sources import LocalFile, LocalModel
from constrictor.study.steps.finetune import Finetune
from constrictor.training import callbacks
from constrictor.training.checkpoints import mark_whole
from constrictor.training.finetune import finetune
from constrictor.training.node import Node


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, to be poisoned."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "origin"))


def fetch(folder: Path):
    return fetch_model(LocalModel(path=str(folder)), folder.parent / "model")


@pytest.mark.parametrize(
    "name",
    ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt", "model.pkl", "pytorch_model-00001-of-00002.bin"],
)
def test_model_whose_weights_are_a_pickle_is_refused(folder, trap, name):
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(trap.payload)
    with pytest.raises(ConstrictorError, match=r"only as a pickle .* can run foreign code and is (not|never) opened"):
        fetch(folder)
    assert not (folder.parent / "model").exists()


def test_pickles_beside_the_weights_are_left_behind(folder, trap):
    for name in (
        "pytorch_model.bin",
        "training_args.bin",
        "optimizer.pt",
        "scaler.pkl",
        "vectors.joblib",
        "tokenizer.pkl",
        "vocab.bin",
    ):
        (folder / name).write_bytes(trap.payload)
    assert set(fetch(folder).files) == {"config.json", "model.safetensors", "tokenizer.json"}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_pickle_under_another_name_is_refused(folder, trap, name):
    (folder / name).write_bytes(trap.payload)
    with pytest.raises(ConstrictorError, match="damaged"):
        fetch(folder)


def test_vocabulary_that_is_a_pickle_is_refused(folder, trap):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(trap.payload)
    with pytest.raises(ConstrictorError, match="has no usable tokenizer"):
        fetch(folder)


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib", "pt", "npy", "py", "h5", "zip", "tar", "pkl.gz"])
def test_data_in_a_format_that_can_hold_code_is_refused(tmp_path, trap, suffix):
    file = tmp_path / f"data.{suffix}"
    file.write_bytes(trap.payload)
    with pytest.raises(ConstrictorError, match="cannot be read"):
        read_source(LocalFile(path=str(file)), {}, ["text"])


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_pickle_with_the_ending_of_a_table_is_refused(tmp_path, trap, suffix):
    file = tmp_path / f"data.{suffix}"
    file.write_bytes(trap.payload)
    with pytest.raises(ConstrictorError):
        read_source(LocalFile(path=str(file)), {}, ["text"])


def test_folder_of_a_data_set_is_refused_and_its_script_not_run(tmp_path, trap):
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "films.py").write_text(f"open({str(trap.file)!r}, 'w')", encoding="utf-8")
    (folder / "data.csv").write_text("text,label\na,b\n", encoding="utf-8")
    with pytest.raises(ConstrictorError, match="does not exist"):
        read_source(LocalFile(path=str(folder)), {}, ["text"])


def test_python_types_inside_parquet_are_not_opened(tmp_path, trap):
    """What pyarrow once unpickled (CVE-2023-47248)."""
    poison = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": trap.payload}
    fields = [pa.field("text", pa.string(), metadata=poison), pa.field("label", pa.string())]
    pq.write_table(pa.table([["a", "b"], ["x", "y"]], schema=pa.schema(fields)), tmp_path / "a.parquet")
    found, _ = read_source(LocalFile(path=str(tmp_path / "a.parquet")), {}, ["text", "label"])
    assert found["text"].tolist() == ["a", "b"]


def torch_pickle(trap) -> bytes:
    stream = io.BytesIO()
    torch.save({"state": trap}, stream)
    return stream.getvalue()


@pytest.mark.parametrize("content", [torch_pickle, lambda trap: trap.payload], ids=["torch", "pickle"])
@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"])
def test_pickle_in_a_checkpoint_that_looks_whole_is_not_opened(
    tiny_model, tiny_task, tmp_path, monkeypatch, trap, name, content: Callable[..., bytes]
):
    step = Finetune(stage="finetune", model="tiny", epochs=2, batch_size=24)
    node = Node(tmp_path / "teacher", "teacher", seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Progress, "on_step_end", _interrupt_at(5))
        with pytest.raises(KeyboardInterrupt):
            finetune(step, tiny_model, train_plan(task_in(tiny_task)), task_in(tiny_task), node)
    (checkpoint,) = node.checkpoints.glob("checkpoint-*")
    (checkpoint / name).write_bytes(content(trap))
    mark_whole(checkpoint)
    if name == "training_args.bin":  # nobody reads it
        finetune(step, tiny_model, train_plan(task_in(tiny_task)), task_in(tiny_task), node)
        return
    with pytest.raises(ConstrictorError, match=r"checkpoint-3 holds more than tensors.*never opened.*rm -r"):
        finetune(step, tiny_model, train_plan(task_in(tiny_task)), task_in(tiny_task), node)


def _interrupt_at(count: int):
    calls: list[int] = []

    def on_step_end(self, args, state, control, **kwargs):
        calls.append(1)
        if len(calls) == count:
            raise KeyboardInterrupt

    return on_step_end


def test_the_trap_is_one(trap):
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        torch.load(io.BytesIO(torch_pickle(trap)), weights_only=True)
