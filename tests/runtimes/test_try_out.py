"""Models that do not run, or whose outputs are not finite, are refused by the stage that makes them and by every later one."""

import shutil
from pathlib import Path

import pytest
import torch
from heads import evaluate_on, kind_with, task_in
from safetensors.torch import load_file, save_file

from constrictor.compression.export.export import export
from constrictor.compression.pruning.prune import prune
from constrictor.compression.quantization.quantize import quantize
from constrictor.data.examples import unlabelled, write_examples
from constrictor.errors import ConstrictorError
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.models.artifact import seal
from constrictor.models.manifest import read_manifest
from constrictor.runtimes import try_out
from constrictor.study.steps.export import Export
from constrictor.study.steps.prune import Magnitude
from constrictor.study.steps.quantize import Half
from constrictor.training.node import Node

FFN = "bert.encoder.layer.1.{}.dense.{}"


@pytest.fixture
def changed(tiny_teacher, tmp_path):
    """A copy of the tiny teacher whose weights were changed by a function, whole by its manifest."""

    def change(function) -> Path:
        folder = shutil.copytree(tiny_teacher, tmp_path / "changed")
        weights = load_file(folder / "model.safetensors")
        function(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        seal(folder, read_manifest(tiny_teacher))
        return folder

    return change


def _large_activations(weights: dict[str, torch.Tensor]) -> None:
    """Neurons of some hundred thousands: fine in float32 and bf16, infinite in fp16."""
    weights["bert.encoder.layer.1.attention.output.LayerNorm.weight"] *= 1e3
    weights[FFN.format("intermediate", "weight")] *= 3e3
    weights[FFN.format("output", "weight")] /= 3e6


def _not_a_number(weights: dict[str, torch.Tensor]) -> None:
    weights[FFN.format("intermediate", "bias")][0] = torch.nan


def _quantize(method, parent, task, folder):
    return quantize(Half(stage="quantize", method=method), parent, Node(folder, "half", 1), task=task_in(task))


def test_activations_beyond_fp16_are_refused_by_the_name_of_the_layer(changed, tiny_task, tmp_path):
    parent = changed(_large_activations)
    message = (
        r"'half' made a model that cannot be used, and nothing was written\. The outputs of teacher/half for 16 of 16 inputs "
        r"are not finite numbers, first in 'bert\.encoder\.layer\.1\.intermediate\.dense'\. In fp16, numbers end at 65,504\."
    )
    with pytest.raises(ConstrictorError, match=message):
        _quantize("fp16", parent, tiny_task, tmp_path / "fp16")
    assert not list((tmp_path / "fp16").iterdir())
    assert _quantize("bf16", parent, tiny_task, tmp_path / "bf16").precision == "bf16"


STAGES = {
    "prune": lambda model, task, folder: prune(
        Magnitude(stage="prune", method="magnitude", sparsity=0.1),
        model,
        [],
        None,
        task_in(task),
        Node(folder, "mag", 1),
    ),
    "export": lambda model, task, folder: export(
        Export(stage="export"), model, task / "validation.parquet", folder / "model", "onnx"
    ),
    "evaluate": lambda model, task, folder: evaluate_on(model, task, folder / "a.json", folder / "a.parquet"),
    "teacher_outputs": lambda model, task, folder: teacher_outputs(model, task / "train.parquet", folder / "a.parquet"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_refuses_outputs_that_are_not_finite(changed, tiny_task, tmp_path, stage):
    with pytest.raises(ConstrictorError, match=r"not finite.*bert\.encoder\.layer\.1\.intermediate"):
        STAGES[stage](changed(_not_a_number), tiny_task, tmp_path / "node")
    assert not list(tmp_path.glob("node/model*"))


@pytest.mark.parametrize(("words", "expected"), [(3, 16), (100, 5), (2000, 2)])
def test_so_few_features_that_it_takes_no_time(tiny_teacher, tmp_path, words, expected):
    texts = ["film " * words + str(number) for number in range(40)]
    write_examples(tmp_path / "a.parquet", unlabelled([str(number) for number in range(40)], texts))
    kind = kind_with()
    tokenizer = kind.tokenizer(tiny_teacher)
    tokenizer.max_length = 1000
    found = try_out.few_features(kind, tokenizer, tmp_path / "a.parquet")
    assert len(found.encoded) == pytest.approx(expected, abs=1)


def test_what_a_runtime_raises_is_a_message_and_nothing_is_left(tiny_teacher, tiny_task, tmp_path, monkeypatch):
    def broken(self, features):
        raise RuntimeError("mat1 and mat2 must have the same dtype")

    monkeypatch.setattr("constrictor.runtimes.runtime.Runtime.outputs_of", broken)
    with pytest.raises(ConstrictorError, match=r"'half' made a model that cannot be used.*RuntimeError: mat1 and mat2"):
        _quantize("bf16", tiny_teacher, tiny_task, tmp_path)
    assert not list(tmp_path.iterdir())
