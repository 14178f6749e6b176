"""Every stage on a task of this kind, with a tiny model that learns to find praise among other words."""

import json
import shutil

import numpy as np
import onnx as onnx_format
import pytest
import torch
from heads import evaluate_on, plan_of, task_in, train_plan, training_set
from transformers import AutoModelForQuestionAnswering

from constrictor.comparison.compare import compare
from constrictor.comparison.row import Comparison
from constrictor.compression.export.export import export
from constrictor.compression.pruning.prune import prune
from constrictor.compression.quantization.quantize import quantize
from constrictor.data.examples import read_examples
from constrictor.data.outputs import read_outputs, read_predictions
from constrictor.evaluation.latency_worker import inputs_of
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.runtimes.load import load
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.export import Export
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.prune import Layers, Magnitude, Movement, Structured, Vocabulary, Wanda
from constrictor.study.steps.quantize import Dynamic, Half, QuantizationAware, Static, WeightOnly
from constrictor.study.tasks.question_answering import QuestionAnsweringTask
from constrictor.tasks.prepare import prepare_task
from constrictor.training.data import training_data
from constrictor.training.distil import distil
from constrictor.training.finetune import finetune
from constrictor.training.node import Node, TaskFolder

FILLING = "ending was from start to finish and everybody in the room said so".split()
PRAISE = ["great film", "lovely story", "superb plot", "charming cast", "brilliant score"]


def _rows():
    """Passages of 12 to 19 words; in most of them one of the answers stands somewhere."""
    random = np.random.default_rng(0)
    for number in range(150):
        words = random.choice(FILLING, random.integers(12, 20)).tolist()
        answer = PRAISE[number % 6] if number % 6 < 5 else ""
        words.insert(int(random.integers(len(words) + 1)), answer)
        yield {"question": "so what was", "context": " ".join(words), "answers": answer}


@pytest.fixture(scope="module")
def task(tmp_path_factory) -> TaskFolder:
    folder = tmp_path_factory.mktemp("questions")
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, _rows())), encoding="utf-8")
    settings = {
        "kind": "question_answering", "source": {"path": str(folder / "data.jsonl")}, "unanswerable": "predict",
        "max_length": 20, "stride": 8, "split": {"validation": 0.2, "test": 0.2},
    }  # fmt: skip
    prepare_task(QuestionAnsweringTask.model_validate(settings), folder / "task")
    return task_in(folder / "task")


@pytest.fixture(scope="module")
def teacher(task, tiny_model, tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("results") / "seed1" / "teacher", "teacher", seed=1)
    settings = Finetune(stage="finetune", model="tiny", epochs=12, lr=5e-3, batch_size=16, dropout=0.0)
    finetune(settings, tiny_model, train_plan(task), task, node)
    _evaluate(node, task)
    return node


def test_windows_of_all_lengths_are_trained_on_together(task, tiny_model):
    data = training_data(train_plan(task), task.kind.tokenizer(tiny_model), task.kind)
    assert len({len(ids) for ids in data.encoded}) > 3
    assert len(set(data.group_of)) == 1


def _evaluate(node: Node, task: TaskFolder) -> dict:
    evaluate_on(node.model, task.file.parent, node.folder / "metrics.json", node.folder / "predictions.parquet")
    return json.loads((node.folder / "metrics.json").read_text())


def _measured(node: Node) -> dict:
    return json.loads((node.folder / "metrics.json").read_text())


def test_it_is_learnt(task, teacher):
    assert _measured(teacher)["test"]["exact_match"] > 0.8
    assert _measured(teacher)["test"]["lengths"]["longer"] > 0.5  # most contexts have several windows


def test_the_loss_is_that_which_transformers_computes(task, teacher):
    examples = read_examples(task.file.with_name("test.parquet"))
    runtime = load(teacher.model)
    features = runtime.kind.encode(runtime.tokenizer, examples.texts)
    targets = runtime.kind.targets(features, examples.labels)
    model = AutoModelForQuestionAnswering.from_pretrained(teacher.model).eval()
    with torch.no_grad():
        losses = [
            model(
                input_ids=torch.from_numpy(window[None, :, 0]),
                token_type_ids=torch.from_numpy(window[None, :, 1]),
                start_positions=torch.tensor([start]),
                end_positions=torch.tensor([end]),
            ).loss.item()
            for window, start, end in zip(features.encoded, targets["start"], targets["end"], strict=True)
        ]
    assert _measured(teacher)["test"]["loss"] == pytest.approx(np.mean(losses), rel=1e-4, abs=1e-6)


def test_the_metric_is_reported_with_a_null_threshold_and_without(task, teacher):
    found = _measured(teacher)
    validation, tuned = found["validation"], found["tuned"]["validation"]
    assert tuned["f1"] >= validation["f1"]
    assert validation["unanswerable"]["examples"] == task.manifest.classes["validation"]["unanswerable"] > 0
    both = sum(validation[name]["f1"] * validation[name]["examples"] for name in ("answerable", "unanswerable"))
    assert validation["f1"] == pytest.approx(both / validation["examples"])


def test_teacher_outputs_belong_to_windows(task, teacher, tmp_path):
    train = task.file.with_name("train.parquet")
    teacher_outputs(teacher.model, train, tmp_path / "outputs.parquet")
    outputs, examples = read_outputs(tmp_path / "outputs.parquet"), read_examples(train)
    runtime = load(teacher.model)
    features = runtime.kind.encode(runtime.tokenizer, examples.texts)
    assert outputs.ids == [examples.ids[number] for number in features.example]
    assert len(outputs.ids) > len(examples)
    assert set(outputs.arrays) == {"start", "end"}
    assert [len(row) for row in outputs.arrays["start"]] == [len(window) for window in features.encoded]


@pytest.mark.parametrize("features", [{}, {"hidden": {}, "attention": {}}], ids=["outputs", "features"])
def test_a_student_is_distilled_on_starts_and_ends(task, teacher, tmp_path, features):
    train = task.file.with_name("train.parquet")
    teacher_outputs(teacher.model, train, tmp_path / "outputs.parquet")
    settings = Distil(
        stage="distil",
        student={"layers": [0, 2]},
        epochs=15,
        lr=5e-3,
        batch_size=16,
        alpha=1.0,
        dropout=0.0,
        **features,
    )
    plan = plan_of(
        training_set(train, tmp_path / "outputs.parquet"),
        soft_targets=settings,
        teacher=teacher.model if features else None,
    )
    node = Node(tmp_path / "kd", "kd", seed=1)
    assert distil(settings, teacher.model, teacher.model, plan, task, node).layers == 2
    assert _evaluate(node, task)["test"]["exact_match"] > 0.7


PRUNINGS = {
    "magnitude": Magnitude(stage="prune", method="magnitude", sparsity=0.3, finetune_epochs=1),
    "wanda": Wanda(stage="prune", method="wanda", sparsity=0.3, calibration_size=32, finetune_epochs=0),
    "movement": Movement(stage="prune", method="movement", sparsity=0.3, finetune_epochs=1),
    "structured": Structured(
        stage="prune", method="structured", ffn=0.3, multiple_of=8, calibration_size=32, finetune_epochs=0
    ),
    "layers": Layers(stage="prune", method="layers", keep=[0, 1, 3], finetune_epochs=1),
    "vocabulary": Vocabulary(stage="prune", method="vocabulary", text=["train"], finetune_epochs=0),
}


@pytest.mark.parametrize("method", PRUNINGS)
def test_every_pruning_method_works(task, teacher, tmp_path, method):
    train = task.file.with_name("train.parquet")
    settings = PRUNINGS[method]
    plan = train_plan(task) if settings.trains else None
    node = Node(tmp_path / method, method, seed=1)
    prune(settings, teacher.model, [train] if settings.reads else [], plan, task, node)
    found = _evaluate(node, task)["test"]
    assert 0 <= found["exact_match"] <= found["f1"] <= 1
    if method == "vocabulary":  # exact where every token of the texts is kept
        before = read_predictions(teacher.folder / "predictions.parquet")["test"].outputs["score"]
        after = read_predictions(node.folder / "predictions.parquet")["test"].outputs["score"]
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)


def test_the_recovery_finetuning_after_pruning_is_distilled_from_the_parent(task, teacher, tmp_path):
    train = task.file.with_name("train.parquet")
    teacher_outputs(teacher.model, train, tmp_path / "outputs.parquet")
    settings = Magnitude(stage="prune", method="magnitude", sparsity=0.5, finetune_epochs=4, lr=3e-3, batch_size=16)
    soft = Distil(stage="distil", student={"layers": [0]}, epochs=1)
    plan = plan_of(training_set(train, tmp_path / "outputs.parquet"), soft_targets=soft)
    node = Node(tmp_path / "pruned", "pruned", seed=1)
    prune(settings, teacher.model, [], plan, task, node)
    assert _evaluate(node, task)["test"]["exact_match"] > 0.6


TORCH_METHODS = {
    "dynamic": Dynamic(stage="quantize", method="dynamic"),
    "fp16": Half(stage="quantize", method="fp16"),
    "qat": QuantizationAware(stage="quantize", method="qat", finetune_epochs=1, lr=1e-3),
}


@pytest.mark.parametrize("method", TORCH_METHODS)
def test_torch_models_are_quantized(task, teacher, tmp_path, method):
    settings, node = TORCH_METHODS[method], Node(tmp_path / method, method, seed=1)
    plan = train_plan(task) if settings.trains else None
    quantize(settings, teacher.model, node, task=task, plan=plan)
    assert _evaluate(node, task)["test"]["exact_match"] > 0.7


@pytest.fixture(scope="module")
def onnx(task, teacher):
    node = Node(teacher.folder / "onnx", "onnx", seed=1)
    export(Export(stage="export"), teacher.model, task.file.with_name("validation.parquet"), node.model, "onnx")
    _evaluate(node, task)
    return node


ONNX_METHODS = {
    "dynamic": Dynamic(stage="quantize", method="dynamic"),
    "static": Static(stage="quantize", method="static", calibration_size=32),
    "weight_only": WeightOnly(stage="quantize", method="weight_only", bits=8, block=16),
    "fp16": Half(stage="quantize", method="fp16"),
}


def test_onnx_models_have_two_outputs_and_predict_as_their_parent(task, teacher, onnx):
    graph = onnx_format.load(onnx.model / "model.onnx").graph
    assert [output.name for output in graph.output] == ["start", "end"]
    ours, parents = (read_predictions(node.folder / "predictions.parquet")["test"].outputs for node in (onnx, teacher))
    np.testing.assert_allclose(ours["score"], parents["score"], atol=1e-3)
    assert ours["answer"].tolist() == parents["answer"].tolist()


@pytest.mark.parametrize("method", ONNX_METHODS)
def test_onnx_models_are_quantized(task, onnx, tmp_path, method):
    node = Node(tmp_path / method, method, seed=1)
    quantize(ONNX_METHODS[method], onnx.model, node, task=task, calibration=task.file.with_name("train.parquet"))
    assert _evaluate(node, task)["test"]["exact_match"] > _measured(onnx)["test"]["exact_match"] - 0.2


def test_rewrites_for_heads_that_read_the_first_token_are_never_made(task, teacher, tmp_path):
    settings = Export(stage="export", optimize=True)
    manifest = export(settings, teacher.model, task.file.with_name("validation.parquet"), tmp_path / "model", "onnx")
    assert manifest.details["rewrites"]["kept"] == "none"
    assert "first token" in manifest.details["rewrites"]["reason"]


def test_latency_inputs_are_questions_with_contexts(task, teacher):
    runtime = load(teacher.model)
    texts = read_examples(task.file.with_name("validation.parquet")).texts
    for length in (16, "task"):
        batch = inputs_of(runtime.tokenizer, texts, 2, length)[0]
        assert batch["input_ids"].shape[0] == 2
        assert batch["token_type_ids"].any()
        assert set(runtime.predict(batch)) == {"start", "end"}


def test_the_report_compares_predictions_in_pairs(task, teacher, onnx, tmp_path):
    root = tmp_path / "results"
    shutil.copytree(teacher.folder.parent, root / "seed1")
    settings = Comparison(
        recipes={"baseline": "teacher", "onnx": "teacher/onnx"}, baseline="baseline", margin=0.01,
        replicates=["seed1"],
    )  # fmt: skip
    compare(settings, task.file, root, tmp_path / "report", [])
    table = (tmp_path / "report" / "table.md").read_text(encoding="utf-8")
    row = next(line for line in table.splitlines() if "teacher/onnx" in line)
    assert "test f1" in table
    assert row.split("|")[-2].strip().startswith("100")  # the share of equal answers
