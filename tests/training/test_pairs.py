"""Pairs of texts through every stage: what a model is trained and run with is what transformers itself would read."""

import json

import numpy as np
import pytest
import torch
from heads import logits_of, plan_of, task_in, train_plan, training_set
from safetensors.torch import load_file
from scipy.special import softmax
from sklearn.metrics import log_loss
from transformers import (
    AutoModelForSequenceClassification,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedTokenizerFast,
)

from constrictor.compression.export import optimize
from constrictor.compression.export.export import export
from constrictor.compression.pruning.prune import prune
from constrictor.compression.quantization.quantize import quantize
from constrictor.data.examples import read_examples, unlabelled, write_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.evaluation.latency_worker import inputs_of
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.evaluation.workers import Worker, read_inputs
from constrictor.models.onnx_file import load_onnx
from constrictor.models.source import fetch_model
from constrictor.runtimes.load import load
from constrictor.study.sources import LocalModel
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.export import Export
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.prune import Structured, Vocabulary, Wanda
from constrictor.study.steps.quantize import Dynamic, Static, WeightOnly
from constrictor.study.tasks import ClassificationTask
from constrictor.tasks.prepare import prepare_task
from constrictor.training.distil import distil
from constrictor.training.finetune import finetune
from constrictor.training.node import Node

TYPED = ["input_ids", "attention_mask", "token_type_ids"]


@pytest.fixture(scope="module")
def task(tmp_path_factory, sentences):
    """Whether praise is of a film or a story: 240 pairs."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = [(*text.split(" was "), label) for text, label in sentences]
    lines = [f"{head}\twas {tail}\t{label}" for head, tail, label in rows]
    (folder / "data.tsv").write_text("\n".join(["head\ttail\tlabel", *lines]) + "\n", encoding="utf-8")
    settings = {
        "source": {"path": str(folder / "data.tsv")},
        "columns": {"text": "head", "pair": "tail"},
        "split": {"validation": 0.1, "test": 0.1},
        "max_length": 32,
    }
    prepare_task(ClassificationTask.model_validate(settings), folder / "task")
    return task_in(folder / "task")


@pytest.fixture(scope="module")
def texts(task):
    return read_examples(task.file.with_name("test.parquet")).texts


@pytest.fixture(scope="module")
def teacher(untrained_bert, tmp_path_factory):
    """An untrained BERT with weights so large that the token types move its answers: an artifact's folder."""
    folder = tmp_path_factory.mktemp("teacher") / "model"
    untrained_bert(folder, vocab_size=90, hidden_size=32, intermediate_size=64, initializer_range=0.3)
    return folder


@pytest.fixture(scope="module")
def onnx(task, teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "model"
    export(Export(stage="export"), teacher, task.file.with_name("validation.parquet"), folder, "onnx")
    return folder


def _of_transformers(folder, texts, *, with_types: bool = True) -> np.ndarray:
    """Logits of transformers' own model for its own tokens."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
    heads, tails = map(list, zip(*texts, strict=True))
    batch = tokenizer(heads, tails, padding=True, return_tensors="pt", return_token_type_ids=with_types)
    with torch.inference_mode():
        return AutoModelForSequenceClassification.from_pretrained(folder).eval()(**batch).logits.numpy()


def _inputs_of(folder) -> list[str]:
    return [entry.name for entry in load_onnx(folder / "model.onnx").graph.input]


def test_a_model_predicts_as_it_does_in_transformers(teacher, texts):
    found, expected = logits_of(load(teacher), texts, batch_size=7), _of_transformers(teacher, texts)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected - _of_transformers(teacher, texts, with_types=False)).max() > 0.1


def test_a_training_reads_the_types_and_validates_with_them(task, teacher, tmp_path, monkeypatch):
    monkeypatch.setattr("constrictor.models.device.has_native_bf16", lambda: False)  # validation is in float32
    settings = Finetune(stage="finetune", epochs=1, lr=1e-4, precision="fp32", weight_decay=0.0, dropout=0.0)
    node = Node(tmp_path / "tuned", "tuned", seed=1)
    finetune(settings, teacher, train_plan(task), task, node)
    name = "bert.embeddings.token_type_embeddings.weight"
    before, after = (load_file(folder / "model.safetensors")[name] for folder in (teacher, node.model))
    assert (after[1] - before[1]).abs().max() > 1e-5
    examples = read_examples(task.file.with_name("validation.parquet"))
    history = json.loads((node.folder / "training.json").read_text(encoding="utf-8"))["history"]
    expected = log_loss(examples.labels, softmax(_of_transformers(node.model, examples.texts).astype(float), axis=1))
    assert history[-1]["loss"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [None, (4, 16)])
def test_exported_model_reads_the_types(task, teacher, onnx, texts, shape, tmp_path):
    folder = onnx
    if shape:
        folder = tmp_path / "model"
        export(Export(stage="export", shape=shape), teacher, task.file.with_name("validation.parquet"), folder, "onnx")
    assert _inputs_of(folder) == TYPED
    np.testing.assert_allclose(logits_of(load(folder), texts), _of_transformers(teacher, texts), atol=1e-5)


def test_a_model_of_single_texts_reads_no_types_and_one_of_pairs_may_be_run_on_single_texts(tiny_onnx, onnx):
    assert _inputs_of(tiny_onnx) == TYPED[:2]
    found = logits_of(load(onnx), ["the film was great"])
    assert np.isfinite(found).all()


@pytest.mark.parametrize("format", ["ort", "openvino"])
def test_further_formats_read_the_types(task, teacher, onnx, texts, format, tmp_path):
    if format == "openvino":
        pytest.importorskip("openvino")
    export(
        Export(stage="export", format=format),
        onnx,
        task.file.with_name("validation.parquet"),
        tmp_path / "model",
        format,
    )
    np.testing.assert_allclose(logits_of(load(tmp_path / "model"), texts), _of_transformers(teacher, texts), atol=1e-4)


def test_rewritten_model_reads_the_types(task, teacher, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(optimize, "ROUNDS", 1)
    monkeypatch.setattr(optimize, "choose", lambda ratios: list(ratios)[-1])
    manifest = export(
        Export(stage="export", optimize=True),
        teacher,
        task.file.with_name("validation.parquet"),
        tmp_path / "model",
        "onnx",
    )
    assert manifest.details["rewrites"]["kept"] == "first token, merged projections"
    assert _inputs_of(tmp_path / "model") == TYPED
    np.testing.assert_allclose(logits_of(load(tmp_path / "model"), texts), _of_transformers(teacher, texts), atol=1e-5)


@pytest.fixture
def types_read(monkeypatch):
    """For every use of a table of two token types, whether it met the second one."""
    found: list[bool] = []
    real = torch.nn.Embedding.forward

    def forward(self, ids):
        if self.num_embeddings == 2:
            found.append(bool(ids.any()))
        return real(self, ids)

    monkeypatch.setattr(torch.nn.Embedding, "forward", forward)
    return found


CALIBRATION = {"calibration": "train", "calibration_size": 32}
CUT = {"stage": "prune", "finetune_epochs": 0}


@pytest.mark.parametrize(
    "step",
    [
        Structured(**CUT, **CALIBRATION, method="structured", heads=0.25, multiple_of=8, score="activation"),
        Structured(**CUT, **CALIBRATION, method="structured", heads=0.25, multiple_of=8, score="taylor"),
        Wanda(**CUT, **CALIBRATION, method="wanda", sparsity=0.5),
    ],
    ids=["activation", "taylor", "wanda"],
)
def test_pruning_calibrates_on_pairs_with_their_types(task, teacher, step, types_read, tmp_path):
    prune(step, teacher, [task.file.with_name("train.parquet")], None, task, Node(tmp_path / "cut", "cut", seed=1))
    assert types_read
    assert all(types_read)


def test_a_vocabulary_counts_the_tokens_of_pairs(task, teacher, texts, tmp_path):
    step = Vocabulary(**CUT, method="vocabulary")
    node = Node(tmp_path / "cut", "cut", seed=1)
    manifest = prune(step, teacher, [task.file.with_name("train.parquet")], None, task, node)
    assert manifest.details["pruned"]["share_of_text_covered"] == 1.0
    np.testing.assert_allclose(logits_of(load(node.model), texts), logits_of(load(teacher), texts), atol=1e-5)


@pytest.mark.parametrize(
    "step",
    [
        Dynamic(stage="quantize", method="dynamic"),
        Static(stage="quantize", method="static", **CALIBRATION),
        WeightOnly(stage="quantize", method="weight_only", bits=8, block=16),
    ],
    ids=["dynamic", "static", "weight only"],
)
def test_quantized_onnx_models_read_the_types(task, teacher, onnx, texts, step, tmp_path):
    node = Node(tmp_path / "int8", "int8", seed=1)
    quantize(step, onnx, node, task=task, calibration=task.file.with_name("train.parquet"))
    assert _inputs_of(node.model) == TYPED
    expected = _of_transformers(teacher, texts)
    moved = np.abs(expected - _of_transformers(teacher, texts, with_types=False)).mean()
    assert np.abs(logits_of(load(node.model), texts) - expected).mean() < 0.5 * moved


def test_ranges_of_a_static_torch_model_are_those_of_pairs(task, teacher, types_read, tmp_path):
    step = Static(stage="quantize", method="static", **CALIBRATION)
    quantize(
        step,
        teacher,
        Node(tmp_path / "int8", "int8", seed=1),
        task=task,
        calibration=task.file.with_name("train.parquet"),
    )
    assert types_read
    assert all(types_read)


@pytest.fixture(scope="module")
def distilbert(tiny_checkpoint, tmp_path_factory):
    """A student that knows no token types, with the teacher's tokenizer."""
    folder = tmp_path_factory.mktemp("distilbert")
    (folder / "checkpoint").mkdir()
    torch.manual_seed(0)
    config = DistilBertConfig(vocab_size=90, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64)
    DistilBertModel(config).save_pretrained(folder / "checkpoint")
    (folder / "checkpoint/tokenizer.json").write_bytes((tiny_checkpoint / "tokenizer.json").read_bytes())
    fetch_model(LocalModel(path=str(folder / "checkpoint")), folder / "model")
    return folder / "model"


@pytest.mark.parametrize("features", [{}, {"hidden": {"loss": "cosine"}}], ids=["logits", "hidden states"])
def test_a_student_without_types_is_distilled_from_a_teacher_with_them(
    task, teacher, distilbert, texts, features, types_read, tmp_path
):
    # Single texts beside the pairs, as a corpus has them.
    write_examples(tmp_path / "corpus.parquet", unlabelled(["0", "1"], ["the film was great", "the plot"]))
    sets = []
    for name, examples in (("train", task.file.with_name("train.parquet")), ("corpus", tmp_path / "corpus.parquet")):
        teacher_outputs(teacher, examples, tmp_path / f"{name}_outputs.parquet")
        sets.append(training_set(examples, tmp_path / f"{name}_outputs.parquet"))
    step = Distil.model_validate(
        {"stage": "distil", "student": {"model": "small"}, "epochs": 1, "lr": 1e-3, "batch_size": 16, **features}
    )
    node = Node(tmp_path / "kd", "kd", seed=1)
    types_read.clear()
    plan = plan_of(*sets, soft_targets=step, teacher=teacher if step.needs_online_teacher else None)
    distil(step, teacher, distilbert, plan, task, node)
    assert any(types_read) == bool(features)  # where its features are distilled, the teacher reads the pairs once more
    expected = _of_transformers(node.model, texts, with_types=False)
    np.testing.assert_allclose(logits_of(load(node.model), texts), expected, atol=1e-5)
    export(Export(stage="export"), node.model, task.file.with_name("validation.parquet"), tmp_path / "onnx", "onnx")
    assert _inputs_of(tmp_path / "onnx") == TYPED[:2]
    np.testing.assert_allclose(logits_of(load(tmp_path / "onnx"), texts), expected, atol=1e-5)


def test_timing_feeds_the_types(task, onnx):
    tokenizer = Tokenizer(onnx, 32)
    (full,) = inputs_of(tokenizer, read_inputs(task.file.with_name("validation.parquet")), 3, 16)
    assert {name: values.shape for name, values in full.items()} == dict.fromkeys(TYPED, (3, 16))
    assert full["attention_mask"].all()
    assert set(full["token_type_ids"].ravel()) == {0, 1}
    with Worker(
        onnx, read_inputs(task.file.with_name("validation.parquet")), threads=1
    ) as worker:  # the texts travel as JSON
        assert worker.time(2, "task", 0)
