import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from heads import logits_of, task_in, task_record

from constrictor.compression.quantization.quantize import quantize
from constrictor.data.examples import read_examples
from constrictor.errors import ConstrictorError
from constrictor.runtimes.load import load
from constrictor.study.steps.quantize import BitsAndBytes, Dynamic, Half
from constrictor.training.node import Node


@pytest.fixture(scope="module")
def artifacts(tiny_teacher, tiny_onnx, tiny_task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    steps = {
        "int8": (tiny_teacher, Dynamic(stage="quantize", method="dynamic")),
        "bf16": (tiny_teacher, Half(stage="quantize", method="bf16")),
        "bnb8": (tiny_teacher, BitsAndBytes(stage="quantize", method="llm_int8")),
        "onnx8": (tiny_onnx, Dynamic(stage="quantize", method="dynamic")),
    }
    for name, (parent, step) in steps.items():
        quantize(step, parent, Node(folder / name, name, 1), task=task_in(tiny_task))
    return {"torch": tiny_teacher, "onnx": tiny_onnx, **{name: folder / name / "model" for name in steps}}


@pytest.mark.parametrize(
    ("variant", "attention", "compiled"), [("sdpa", "sdpa", 0), ("eager", "eager", 0), ("compiled", "sdpa", 1)]
)
def test_a_torch_model_computes_in_the_requested_variant(tiny_teacher, monkeypatch, variant, attention, compiled):
    seen = []
    monkeypatch.setattr(torch, "compile", lambda function: seen.append(function) or function)
    runtime = load(tiny_teacher, threads=1, variant=variant)
    (model,) = runtime.predict.args
    assert model.config._attn_implementation == attention
    assert len(seen) == compiled
    plain = logits_of(load(tiny_teacher, threads=1), ["the film was great"])
    np.testing.assert_allclose(logits_of(runtime, ["the film was great"]), plain, atol=1e-5)


@pytest.mark.parametrize("kind", ["torch", "onnx", "int8", "bf16", "bnb8", "onnx8"])
def test_every_format_predicts_alike_and_in_order(artifacts, tiny_task, kind):
    examples = read_examples(tiny_task / "test.parquet")
    runtime = load(artifacts[kind], threads=1)
    logits = logits_of(runtime, examples.texts, batch_size=7)
    assert logits.shape == (24, 2)
    assert logits.dtype == np.float32
    assert (logits.argmax(1) == examples.labels).mean() > 0.9
    backwards = logits_of(runtime, examples.texts[::-1], batch_size=24)[::-1]
    assert np.abs(logits - backwards).max() < (1e-4 if kind in ("torch", "onnx") else 0.5)


def test_batch_size_does_not_change_the_outputs_of_a_float_model(artifacts, tiny_task):
    texts = read_examples(tiny_task / "test.parquet").texts
    runtime = load(artifacts["torch"])
    np.testing.assert_allclose(logits_of(runtime, texts, 1), logits_of(runtime, texts, 24), atol=1e-5)


@pytest.mark.parametrize("kind", ["onnx", "onnx8"])
def test_onnx_is_served_without_torch(artifacts, kind):
    program = f"""
import sys
from pathlib import Path
import constrictor.evaluation.latency_worker
from constrictor.runtimes.load import load
runtime = load(Path({str(artifacts[kind])!r}))
features = runtime.kind.encode(runtime.tokenizer, ["the film was great", "a plot"])
assert runtime.outputs_of(features)["logits"].shape == (2, 2)
heavy = {{"torch", "transformers", "pandas", "datasets"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_checkpoint_without_a_task_is_refused(tiny_model):
    with pytest.raises(ConstrictorError, match="has not been trained on a task"):
        load(tiny_model)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (
            "torch",
            {"precision": "int3"},
            "has the precision 'int3', and a torch model has one of fp32, fp16, bf16",
        ),
        (
            "torch",
            {"task": task_record(["a", "b", "c"]).model_dump()},
            "does not have the task's labels. Its outputs: bad, good. The task's labels: a, b, c",
        ),
        (
            "onnx",
            {"task": task_record(["a", "b", "c"]).model_dump()},
            r"outputs are logits \(1, 2\) and its manifest names 3 \(a, b, c\): one of the two",
        ),
        ("torch", {"format": "tflite"}, r"manifest\.json is damaged"),
        ("torch", {"format": "onnx"}, r"model\.onnx cannot be opened by ONNX Runtime"),
    ],
)
def test_manifest_that_does_not_fit_is_refused(artifacts, tmp_path, kind, change, message):
    file = shutil.copytree(artifacts[kind], tmp_path / "model") / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(ConstrictorError, match=message):
        logits_of(load(file.parent), ["the film was great"])


@pytest.mark.parametrize("kind", ["torch", "onnx", "int8"])
def test_damaged_artifact_is_refused_before_it_is_opened(artifacts, tmp_path, kind):
    folder = shutil.copytree(artifacts[kind], tmp_path / "model")
    weights = max(folder.iterdir(), key=lambda file: file.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ConstrictorError, match=f"{weights.name} is not what was written"):
        load(folder)
