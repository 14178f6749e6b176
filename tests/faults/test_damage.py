"""Files that are edited, cut off or damaged on the disk are found before they are used."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from heads import evaluate_on, task_in, train_plan
from little import (
    CHECKPOINTS,
    GOALS,
    NODES,
    TEACHER,
    artifacts,
    damage,
    errors_on,
    kill_everything,
    log_of,
    training_met_at_work,
)
from workbench import Workbench

from constrictor.compression.export.export import export
from constrictor.compression.pruning.prune import prune
from constrictor.compression.quantization.quantize import quantize
from constrictor.errors import ConstrictorError
from constrictor.evaluation.fair_baseline import FairBaseline, find_fair_baseline
from constrictor.evaluation.latency import measure_latency
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.study.report import Latency
from constrictor.study.steps.distil import Distil
from constrictor.study.steps.export import Export
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.prune import Magnitude
from constrictor.study.steps.quantize import Dynamic
from constrictor.training.distil import distil
from constrictor.training.finetune import finetune
from constrictor.training.node import Node

Row = Callable[[str, str, str], None]


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


DISTIL = Distil.model_validate({"stage": "distil", "student": {"layers": [0]}, "epochs": 1})
MAGNITUDE = Magnitude(stage="prune", method="magnitude", sparsity=0.4, finetune_epochs=0)
TIMING = Latency(batch_sizes=[1], lengths=[8], rounds=3, seconds=0.01, attempts=1)
FAIR = FairBaseline(
    fastest="sdpa", milliseconds={}, baselines={}, not_tried={}, disturbed={}, threads=1, processor={}
)  # fmt: skip


def _distil(teacher: Path, student: Path, task: Path, node: Node) -> object:
    return distil(DISTIL, teacher, student, train_plan(task_in(task)), task_in(task), node)


# Every stage that opens a model, by what it is asked to do with a damaged model, a whole one, a task and a node.
STAGES: dict[str, Callable[[Path, Path, Path, Node], object]] = {
    "finetune": lambda model, whole, task, node: finetune(
        Finetune(stage="finetune", model="tiny", epochs=1), model, train_plan(task_in(task)), task_in(task), node
    ),
    "distil from it": lambda model, whole, task, node: _distil(model, whole, task, node),
    "distil into it": lambda model, whole, task, node: _distil(whole, model, task, node),
    "prune": lambda model, whole, task, node: prune(MAGNITUDE, model, [], None, task_in(task), node),
    "quantize": lambda model, whole, task, node: quantize(
        Dynamic(stage="quantize", method="dynamic"), model, node, task=task_in(task)
    ),
    "export": lambda model, whole, task, node: export(
        Export(stage="export"), model, task / "validation.parquet", node.model, "onnx"
    ),
    "evaluate": lambda model, whole, task, node: evaluate_on(
        model, task, node.folder / "metrics.json", node.folder / "predictions.parquet"
    ),
    "teacher_outputs": lambda model, whole, task, node: teacher_outputs(
        model, task / "train.parquet", node.folder / "outputs.parquet"
    ),
    "fair_baseline": lambda model, whole, task, node: find_fair_baseline(
        {"torch fp32": model}, task, TIMING, node.folder / "fair_baseline.json", 1
    ),
    "latency": lambda model, whole, task, node: measure_latency(
        model, {}, task, TIMING, node.folder / "latency.json", 1, FAIR
    ),
}  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("harm", [damage, cut_off])
def test_every_stage_refuses_a_damaged_model_before_it_works(
    tiny_teacher: Path, tiny_task: Path, tmp_path: Path, stage: str, harm: Callable[[Path], None]
) -> None:
    model = Path(shutil.copytree(tiny_teacher, tmp_path / "model"))
    harm(model / "model.safetensors")
    node = Node(tmp_path / "node", "child", seed=1)
    with pytest.raises(ConstrictorError, match=r"model\.safetensors is not what was written.*rm -r"):
        STAGES[stage](model, tiny_teacher, tiny_task, node)
    assert not list(tmp_path.glob("node/**/*.*"))


def test_damaged_model_is_named_and_rebuilt_as_the_message_advises(
    undisturbed: Workbench, tmp_path: Path, row: Row
) -> None:
    bench = undisturbed.copy_to(tmp_path / "bench")
    damage(bench.path(f"{NODES}/teacher/kd/model/model.safetensors"))
    bench.path(f"{NODES}/teacher/kd/metrics.json").unlink()
    code, screen = bench.snakemake(*GOALS)
    assert code == 1
    messages = errors_on(screen)
    assert len(messages) == 1, screen
    assert "Traceback" not in screen
    assert "teacher/kd/model/model.safetensors is not what was written" in messages[0]
    advice = re.search(r"run snakemake again: (rm -r \S+)$", messages[0])
    assert advice, screen
    subprocess.run(shlex.split(advice[1]), cwd=bench.folder, check=True)
    bench.build(*GOALS)
    assert artifacts(bench) == artifacts(undisturbed)
    row(
        "one bit of a model's weights flipped on the disk, or the file cut off",
        "every stage refused the model before using it, with one message: which file, and the command to rebuild it, which "
        "gave the same files",
        "nothing",
    )


def test_damaged_checkpoint_is_passed_over(
    long_training: Workbench, long_undisturbed: bytes, tmp_path: Path, row: Row
) -> None:
    bench = long_training.copy_to(tmp_path / "bench")
    with training_met_at_work(bench) as process:
        kill_everything(bench, process)
    whole = [file.parent for file in bench.path(CHECKPOINTS).glob("checkpoint-*/complete")]
    newest = max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]))
    damage(newest / "optimizer.pt")
    bench.build("--unlock")
    bench.build("--", TEACHER, cores=1)
    assert f"{newest.name} is not used: its file optimizer.pt is not what was written" in log_of(bench)
    assert "resuming from checkpoint-" in log_of(bench)
    assert bench.path(TEACHER).read_bytes() == long_undisturbed
    row(
        "one bit of a training's newest checkpoint flipped on the disk",
        "the log named it, and the training went on from the one before (or anew, where both were damaged) to the same model",
        "what was trained between the two checkpoints was computed again",
    )
