"""Tasks of other kinds than classification, trained, distilled, evaluated and compared by the functions of every stage."""

import json

import numpy as np
import pytest
from heads import evaluate_on, plan_of, task_in, train_plan, training_set
from scipy.stats import pearsonr
from transformers import AutoModelForSequenceClassification

from constrictor.comparison.compare import compare
from constrictor.comparison.row import Comparison
from constrictor.compression.pruning.importance import importance_of
from constrictor.compression.sample import draw_sample
from constrictor.data.examples import read_examples, unlabelled, write_examples
from constrictor.data.outputs import read_predictions
from constrictor.data.tokenization import Tokenizer
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.prune import Structured
from constrictor.study.tasks import MultilabelTask, RegressionTask
from constrictor.tasks.prepare import prepare_task
from constrictor.training.distil import distil
from constrictor.training.finetune import finetune
from constrictor.training.node import Node

KINDS = {
    "multilabel": (MultilabelTask, {"columns": {"labels": ["good", "bad"]}, "metric": "macro_f1"}),
    "regression": (RegressionTask, {"columns": {"label": "price"}, "metric": "r2"}),
    "pairs": (RegressionTask, {"columns": {"text": "head", "pair": "tail", "label": "stars"}, "metric": "pearson"}),
}


@pytest.fixture(scope="module", params=KINDS)
def task(request, tmp_path_factory, sentences):
    """Labels that depend on the words: praise, blame, stars that are more for a film, and prices in units of their own."""
    folder = tmp_path_factory.mktemp(request.param)
    lines = ["text,head,tail,good,bad,stars,price"]
    for text, label in sentences[::2]:
        good = int(label == "good")
        stars = good + 0.1 * (" film " in text)
        lines.append(
            f"{text},{text.split(' was ')[0]},was {text.split(' was ')[1]},{good},{1 - good},{stars},{300_000 + 60_000 * stars}"
        )
    (folder / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    kind, settings = KINDS[request.param]
    source = {"path": str(folder / "data.csv")}
    settings = {
        "kind": kind.model_fields["kind"].annotation.__args__[0],
        "source": source,
        "max_length": 32,
        **settings,
    }
    prepare_task(kind.model_validate({**settings, "split": {"validation": 0.2, "test": 0.2}}), folder / "task")
    return task_in(folder / "task")


@pytest.fixture(scope="module")
def teacher(task, tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "seed1" / "teacher"
    settings = Finetune(stage="finetune", model="tiny", epochs=8, lr=5e-3, batch_size=8, dropout=0.0)
    finetune(settings, tiny_model, train_plan(task), task, Node(folder, "teacher", seed=1))
    evaluate_on(folder / "model", task.file.parent, folder / "metrics.json", folder / "predictions.parquet")
    return folder


def test_the_model_is_trained_and_opens_in_the_ecosystem(task, teacher):
    manifest = task.manifest
    measured = json.loads((teacher / "metrics.json").read_text())
    assert measured["test"][manifest.metric] > 0.8
    config = AutoModelForSequenceClassification.from_pretrained(teacher / "model").config
    expected = {"multilabel": "multi_label_classification", "regression": "regression"}
    assert config.problem_type == expected[manifest.task.kind]
    assert list(config.id2label.values()) == manifest.task.labels


def test_the_loss_is_that_which_transformers_computes(task, teacher):
    import torch

    examples = read_examples(task.file.with_name("test.parquet"))
    tokenizer = Tokenizer(teacher / "model", 32)
    model = AutoModelForSequenceClassification.from_pretrained(teacher / "model").eval()
    losses = [
        model(
            input_ids=torch.from_numpy(tokens if tokens.ndim == 1 else tokens[:, 0])[None],
            token_type_ids=None if tokens.ndim == 1 else torch.from_numpy(tokens[:, 1])[None],
            labels=torch.from_numpy(np.atleast_1d(label))[None],
        ).loss.item()
        for tokens, label in zip(tokenizer.encode(examples.texts), examples.labels, strict=True)
    ]
    measured = json.loads((teacher / "metrics.json").read_text())
    assert measured["test"]["loss"] == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_student_is_trained_on_labels_and_on_unlabelled_text(task, teacher, tmp_path):
    texts = read_examples(task.file.with_name("train.parquet")).texts[:40]
    write_examples(tmp_path / "corpus.parquet", unlabelled([str(row) for row in range(40)], list(reversed(texts))))
    sets = []
    for name, file in (("train", task.file.with_name("train.parquet")), ("corpus", tmp_path / "corpus.parquet")):
        teacher_outputs(teacher / "model", file, tmp_path / f"{name}_outputs.parquet")
        sets.append(training_set(file, tmp_path / f"{name}_outputs.parquet"))
    settings = Distil(stage="distil", student={"layers": [0, 2]}, epochs=4, lr=5e-3, batch_size=8)
    node = Node(teacher / "kd", "kd", seed=1)
    distil(settings, teacher / "model", teacher / "model", plan_of(*sets, soft_targets=settings), task, node)
    evaluate_on(node.model, task.file.parent, node.folder / "metrics.json", node.folder / "predictions.parquet")
    assert json.loads((node.folder / "metrics.json").read_text())["test"][task.manifest.metric] > 0.7
    settings = Comparison(
        recipes={"baseline": "teacher", "small": "teacher/kd"}, baseline="baseline", margin=0.01,
        replicates=["seed1"],
    )  # fmt: skip
    compare(settings, task.file.with_name("manifest.json"), teacher.parents[1], tmp_path / "report", [])
    table = (tmp_path / "report" / "table.md").read_text(encoding="utf-8")
    assert f"test {task.manifest.metric}" in table
    assert ("tuned threshold" in table) == (task.manifest.task.kind == "multilabel")
    kept = next(line for line in table.splitlines() if "teacher/kd" in line).split("|")[-2].strip()
    assert kept.endswith(" %") if task.manifest.task.kind == "multilabel" else not kept


def test_taylor_scores_use_the_loss_of_the_kind(task, teacher):
    model = AutoModelForSequenceClassification.from_pretrained(teacher / "model")
    settings = Structured(stage="prune", method="structured", ffn=0.5, calibration_size=32)
    sample = draw_sample(settings, task.file.with_name("train.parquet"), Tokenizer(teacher / "model", 32), task.kind)
    found = importance_of(model, sample, "taylor")
    assert all(layer.neurons.sum() > 0 for layer in found)


def test_predictions_hold_labels_as_they_are(task, teacher):
    examples, outputs = (
        read_examples(task.file.with_name("test.parquet")),
        read_predictions(teacher / "predictions.parquet"),
    )
    np.testing.assert_array_equal(outputs["test"].labels, examples.labels)
    if task.manifest.metric == "pearson":
        measured = json.loads((teacher / "metrics.json").read_text())
        expected = pearsonr(examples.labels, outputs["test"].outputs["logits"][:, 0]).statistic
        assert measured["test"]["pearson"] == pytest.approx(expected, abs=1e-5)
