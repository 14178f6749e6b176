import json
import logging

import pytest
from heads import evaluate_on, plan_of, task_in, train_plan, training_set
from pydantic import TypeAdapter

from constrictor.compression.export.export import export
from constrictor.compression.pruning.prune import prune
from constrictor.compression.quantization.quantize import quantize
from constrictor.data.tokenization import Tokenizer
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.models.manifest import read_manifest
from constrictor.runtimes.load import load
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.export import Export
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.prune import Wanda
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.study.tasks import ClassificationTask
from constrictor.tasks.prepare import prepare_task
from constrictor.training.distil import distil
from constrictor.training.finetune import finetune
from constrictor.training.node import Node


@pytest.fixture
def long_task(tmp_path, sentences):
    """Texts of which only the end determines the class, and which are longer than the model reads."""
    file = tmp_path / "source.csv"
    tail = " the film was"
    rows = "".join(f"{text.split(' was')[0]}{tail * 4} {text.split()[3]},{label}\n" for text, label in sentences[::2])
    file.write_text("text,label\n" + "".join(sorted(set(rows.splitlines(keepends=True)))), encoding="utf-8")
    settings = {"source": {"path": str(file)}, "split": {"validation": 0.2, "test": 0.2}, "max_length": 8}
    prepare_task(ClassificationTask.model_validate({**settings, "truncation": "head_tail"}), tmp_path / "task")
    return tmp_path / "task"


def test_every_stage_and_runtime_truncates_as_the_task_sets(tiny_model, long_task, tmp_path, monkeypatch, caplog):
    seen = []
    encode = Tokenizer.tokenize

    def spy(self, texts):
        seen.append((self.max_length, self.truncation))
        return encode(self, texts)

    monkeypatch.setattr(Tokenizer, "tokenize", spy)
    caplog.set_level(logging.INFO, "constrictor")
    task, train = task_in(long_task), long_task / "train.parquet"

    def node(name):
        return Node(tmp_path / name, name, seed=1)

    learning = {"lr": 5e-3, "batch_size": 8}
    finetune(
        Finetune(stage="finetune", model="tiny", epochs=1, **learning),
        tiny_model,
        train_plan(task),
        task,
        node("teacher"),
    )
    teacher = tmp_path / "teacher/model"
    teacher_outputs(teacher, train, tmp_path / "outputs.parquet")
    kd = Distil(**{"stage": "distil", "student": {"layers": [0, 2]}, "epochs": 1, **learning})
    plan = plan_of(training_set(train, tmp_path / "outputs.parquet"), soft_targets=kd)
    distil(kd, teacher, teacher, plan, task, node("kd"))
    pruning = {"method": "wanda", "sparsity": 0.2, "calibration_size": 32, "finetune_epochs": 1}
    wanda = Wanda(stage="prune", calibration="train", **pruning, **learning)
    prune(wanda, teacher, [train], plan_of(training_set(train)), task, node("wanda"))
    export(Export(stage="export"), teacher, long_task / "validation.parquet", tmp_path / "onnx/model", "onnx")
    static = {"stage": "quantize", "method": "static", "calibration_size": 32}
    step = TypeAdapter(AnyQuantize).validate_python(static)
    quantize(step, tmp_path / "onnx/model", node("int8"), calibration=train, task=task)
    for name in ("teacher", "kd", "wanda", "onnx", "int8"):
        assert read_manifest(tmp_path / name / "model").task.options == {"truncation": "head_tail"}, name
        assert load(tmp_path / name / "model").tokenizer.truncation == "head_tail", name
    evaluate_on(tmp_path / "int8/model", long_task, tmp_path / "metrics.json", tmp_path / "predictions.parquet")
    assert set(seen) == {(8, "head_tail")}
    lengths = json.loads((tmp_path / "metrics.json").read_text())["test"]["lengths"]
    assert (lengths["longer"], lengths["max"], lengths["longer_are"]) == (1.0, 17, "truncated in the middle")
    assert "validation: 100 % of the inputs are longer than 8 tokens and are truncated in the middle" in caplog.text
