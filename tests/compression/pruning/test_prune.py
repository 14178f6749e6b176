from pathlib import Path

import pytest
import torch

from constrictor.artifacts.architecture import encoder_linears
from constrictor.artifacts.manifest import read_manifest
from constrictor.artifacts.torch_model import load_classifier
from constrictor.compression.pruning.magnitude import magnitude_masks
from constrictor.compression.pruning.prune import prune, sparsity_of
from constrictor.evaluation.outputs import teacher_outputs
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.prune import Prune
from constrictor.training.distil import Lesson
from constrictor.training.node import Node, TaskFolder


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    linears = encoder_linears(load_classifier(folder, ["bad", "good"], 32))
    return {name: module.weight.detach() for name, module in linears.items()}


def _prune(parent, task, folder, lessons=(), soft_targets=None, **settings):
    step = Prune(**{"stage": "prune", "method": "magnitude", "sparsity": 0.4, "lr": 1e-2, "batch_size": 8, **settings})
    return prune(step, parent, lessons, soft_targets, TaskFolder(task), Node(folder, "mag", seed=2))


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_pruned_weights_are_those_of_the_mask_and_others_stay(tiny_teacher, tiny_task, tmp_path, scope):
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, scope=scope)
    before, after = _weights(tiny_teacher), _weights(tmp_path / "model")
    masks = magnitude_masks(before, 0.4, scope)
    for name in before:
        assert torch.equal(after[name], before[name] * masks[name]), name
    total = sum(weight.numel() for weight in before.values())
    assert manifest.details == {
        "pruned": {"weights": total, "sparsity": pytest.approx(0.4, abs=1e-3)},
        "recovered": False,
    }
    assert manifest.parameters - manifest.nonzero_parameters >= round(0.4 * total)


@pytest.mark.parametrize("distilled", [False, True])
def test_zeros_stay_through_recovery_while_the_rest_moves(tiny_teacher, tiny_task, tmp_path, distilled, monkeypatch):
    monkeypatch.setattr("constrictor.training.callbacks.Validation.best", property(lambda self: self.history[-1]))
    lessons, soft_targets = [], None
    if distilled:
        lessons = [Lesson(tiny_task / "train.parquet", tmp_path / "outputs.parquet")]
        teacher_outputs(tiny_teacher, *lessons[0][:2])
        soft_targets = SoftTargets()
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, lessons, soft_targets, finetune_epochs=1)
    before, after = _weights(tiny_teacher), _weights(tmp_path / "model")
    masks = magnitude_masks(before, 0.4, "global")
    assert manifest.details["recovered"]
    assert not (tmp_path / "checkpoints").exists()
    for name in before:
        assert (after[name][~masks[name]] == 0).all(), name
        assert not torch.equal(after[name][masks[name]], before[name][masks[name]]), name


def test_recovery_that_only_harms_is_not_taken(tiny_teacher, tiny_task, tmp_path):
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, sparsity=0.05, finetune_epochs=1, lr=5.0)
    before = _weights(tiny_teacher)
    after = _weights(tmp_path / "model")
    assert not manifest.details["recovered"]
    for name, mask in magnitude_masks(before, 0.05, "global").items():
        assert torch.equal(after[name], before[name] * mask), name


def test_only_linears_inside_the_encoders_layers_are_pruned(tiny_teacher):
    names = set(_weights(tiny_teacher))
    assert len(names) == 4 * 6
    assert all(name.startswith("bert.encoder.layer.") for name in names)


def test_sparsity_counts_zeros():
    linear = torch.nn.Linear(4, 2)
    linear.weight.data = torch.tensor([[0.0, 1, 0, 1], [1, 1, 1, 0]])
    assert sparsity_of({"a": linear}) == {"weights": 8, "sparsity": 0.375}


def test_lineage_grows_by_the_step(tiny_teacher, tiny_task, tmp_path):
    _prune(tiny_teacher, tiny_task, tmp_path)
    lineage = read_manifest(tmp_path / "model").lineage
    assert [record.step for record in lineage] == ["teacher", "mag"]
    assert lineage[-1].settings["sparsity"] == 0.4
