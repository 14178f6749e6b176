"""Adding a pruning method takes its function, its settings class (with its place in the union) and one line in METHODS."""

import inspect
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

import pytest
import small_study
import torch
from heads import task_in
from pydantic import Field
from safetensors.torch import load_file

from constrictor.compression.pruning import prune as module
from constrictor.compression.pruning.method import keep_zeros
from constrictor.errors import ConstrictorError
from constrictor.models.architecture import encoder_linears
from constrictor.models.manifest import read_manifest
from constrictor.scheduling.workload import Workload
from constrictor.study.plan import Plan
from constrictor.study.read import read_study
from constrictor.study.settings import Name
from constrictor.study.steps import prune as settings_module
from constrictor.study.steps.prune import AnyPrune, Prune, masks_only
from constrictor.study.steps.recovery import Calibration
from constrictor.study.study import AnyStep, Study
from constrictor.training.node import Node

changed, sources_of_the_study = small_study.changed, small_study.sources_of_the_study


# 1. The settings class.
class Checkerboard(Calibration, Prune):
    """Zero every second weight."""

    masks_only: ClassVar[bool] = True

    method: Literal["checkerboard"] = Field(description="The method.")
    offset: Literal[0, 1] = Field(0, description="Which of two weights is zeroed.")


# 2. The function.
def prune_in_a_checkerboard(model, settings, sample):
    assert len(sample.encoded) == settings.calibration_size
    linears = encoder_linears(model)
    masks = {}
    for name, linear in linears.items():
        rows, columns = (torch.arange(size) for size in linear.weight.shape)
        masks[name] = (rows[:, None] + columns) % 2 != settings.offset
    return keep_zeros(linears, masks)


class StudyWithCheckerboard(Study):
    """What the study is once the union of the methods has one more member."""

    steps: dict[Name, Annotated[AnyStep | Checkerboard, Field(union_mode="left_to_right")]]


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        settings_module, "AnyPrune", Annotated[get_args(AnyPrune)[0] | Checkerboard, Field(discriminator="method")]
    )
    monkeypatch.setattr("constrictor.study.read.Study", StudyWithCheckerboard)
    monkeypatch.setitem(module.METHODS, "checkerboard", prune_in_a_checkerboard)  # 3. The line in the registry.


STEP = {"stage": "prune", "method": "checkerboard", "calibration_size": 32}


def _changes(recipe="teacher/kd/board/onnx", **settings):
    return {"steps.board": {**STEP, **settings}, "recipes": {"baseline": "teacher", "board": recipe}}


@pytest.mark.usefixtures("added")
def test_the_new_method_is_planned_like_the_others(changed):
    plan = Plan(read_study(changed(_changes())))
    step = plan.step("teacher/kd/board")
    assert (step.stage, step.reads, step.trains) == ("prune", ["train"], False)
    assert "teacher/kd/board" in plan.lineages
    assert Workload(plan, Path("data/small"), has_gpus=False).building("teacher/kd/board", "reviews").stage == "train"
    trained = Plan(read_study(changed(_changes(finetune_epochs=1))))
    assert trained.teacher_assignment("teacher/kd/board").teacher == "teacher"


@pytest.mark.usefixtures("added")
def test_what_is_wrong_with_the_new_method_is_found_by_the_same_checks(changed):
    with pytest.raises(ConstrictorError) as caught:
        read_study(changed(_changes("teacher/onnx/board", calibration="sme")))
    assert "steps.board.calibration: no subset is called 'sme'. Did you mean 'some'?" in str(caught.value)
    assert "'board' prunes, and its parent is an exported model (onnx, fp32)." in str(caught.value)


@pytest.mark.usefixtures("added")
def test_the_new_method_is_built_and_only_masks(tiny_teacher, tiny_task, tmp_path):
    given = {
        "settings": Checkerboard.model_validate(STEP),
        "parent": tiny_teacher,
        "calibration": [tiny_task / "train.parquet"],
        "task": task_in(tiny_task),
        "node": Node(tmp_path, "board", seed=2),
    }
    nothing_to_train = dict.fromkeys(inspect.signature(module.prune).parameters.keys() - given.keys())
    manifest = module.prune(**given, **nothing_to_train)
    assert manifest == read_manifest(tmp_path / "model")
    assert manifest.details["pruned"]["sparsity"] == pytest.approx(0.5, abs=1e-6)
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_teacher, tmp_path / "model"))
    name = next(name for name in before if name.endswith("intermediate.dense.weight"))
    assert (after[name][0, 0], after[name][0, 1]) == (0, before[name][0, 1])
    assert masks_only(manifest.lineage[-1].settings)
