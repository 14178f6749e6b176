from pathlib import Path

import pytest
import torch
from heads import load_classifier, plan_of, task_in, training_set
from safetensors.torch import load_file
from torch.nn.utils.prune import L1Unstructured, global_unstructured, l1_unstructured

from constrictor.compression.pruning.method import sparsity_of
from constrictor.compression.pruning.prune import prune
from constrictor.errors import ConstrictorError
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.models.architecture import encoder_linears
from constrictor.models.manifest import read_manifest
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.prune import Magnitude, Wanda
from constrictor.training.node import Node


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    linears = encoder_linears(load_classifier(folder, ["bad", "good"], 32))
    return {name: module.weight.detach() for name, module in linears.items()}


def _kept_by_torch(weights: dict[str, torch.Tensor], sparsity: float, scope: str) -> dict[str, torch.Tensor]:
    """Masks of torch's own pruning by magnitude."""
    modules = {name: torch.nn.Module() for name in weights}
    for name, module in modules.items():
        module.weight = torch.nn.Parameter(weights[name].clone())
        if scope == "layer":
            l1_unstructured(module, "weight", amount=sparsity)
    if scope == "global":
        global_unstructured([(module, "weight") for module in modules.values()], L1Unstructured, amount=sparsity)
    return {name: module.weight_mask.bool() for name, module in modules.items()}


def _prune(parent, task, folder, soft_targets=None, data_sets=None, method=Magnitude, **settings):
    """One step of pruning, by default of 40 % by magnitude, that recovers on the task's labels."""
    amount = {} if "pattern" in settings else {"sparsity": 0.4}
    named = {"stage": "prune", "method": method.__name__.lower(), "lr": 1e-2, "batch_size": 8}
    step = method(**{**named, **amount, **settings})
    plan = plan_of(*(data_sets or [training_set(task / "train.parquet")]), soft_targets=soft_targets)
    node = Node(folder, "mag", seed=2)
    return prune(step, parent, [task / "train.parquet"], plan, task_in(task), node)


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_pruned_weights_are_those_of_the_mask_and_others_stay(tiny_teacher, tiny_task, tmp_path, scope):
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, scope=scope)
    before, after = _weights(tiny_teacher), _weights(tmp_path / "model")
    masks = _kept_by_torch(before, 0.4, scope)
    for name in before:
        assert torch.equal(after[name], before[name] * masks[name]), name
    total = sum(weight.numel() for weight in before.values())
    assert manifest.details == {
        "pruned": {"weights": total, "sparsity": pytest.approx(0.4, abs=1e-3)},
        "recovered": False,
    }
    assert manifest.parameters - manifest.nonzero_parameters >= round(0.4 * total)


def test_a_pattern_is_kept_in_every_group(tiny_teacher, tiny_task, tmp_path):
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, pattern="2:4", finetune_epochs=1)
    before, after = _weights(tiny_teacher), _weights(tmp_path / "model")
    assert manifest.details["pruned"]["sparsity"] == 0.5
    for name, weight in before.items():
        smallest = weight.abs().view(-1, 4).topk(2, largest=False).indices
        assert (after[name].view(-1, 4).gather(1, smallest) == 0).all(), name
        assert ((after[name] != 0).view(-1, 4).sum(1) == 2).all(), name


@pytest.mark.parametrize(("method", "more"), [(Magnitude, {}), (Wanda, {"calibration_size": 32})])
def test_a_pattern_that_does_not_fit_is_refused(tiny_teacher, tiny_task, tmp_path, method, more):
    with pytest.raises(ConstrictorError, match="has 32 inputs, which is no multiple of 5"):
        _prune(tiny_teacher, tiny_task, tmp_path, method=method, pattern="3:5", finetune_epochs=1, **more)
    assert not (tmp_path / "model").exists()


def test_more_calibration_examples_than_there_are_is_refused(tiny_teacher, tiny_task, tmp_path):
    with pytest.raises(
        ConstrictorError, match=r"'train' has 72 examples .* calibrates on 100\. Lower 'calibration_size'"
    ):
        _prune(tiny_teacher, tiny_task, tmp_path, method=Wanda, calibration_size=100)


@pytest.mark.parametrize("distilled", [False, True])
def test_zeros_stay_through_recovery_while_the_rest_moves(tiny_teacher, tiny_task, tmp_path, distilled, monkeypatch):
    monkeypatch.setattr("constrictor.training.validation.Validation.best", property(lambda self: self.history[-1]))
    data_sets, soft_targets = None, None
    if distilled:
        data_sets = [training_set(tiny_task / "train.parquet", tmp_path / "outputs.parquet")]
        teacher_outputs(tiny_teacher, tiny_task / "train.parquet", tmp_path / "outputs.parquet")
        soft_targets = SoftTargets()
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, soft_targets, data_sets, finetune_epochs=1)
    before, after = _weights(tiny_teacher), _weights(tmp_path / "model")
    masks = _kept_by_torch(before, 0.4, "global")
    assert manifest.details["recovered"]
    assert not (tmp_path / "checkpoints").exists()
    for name in before:
        assert (after[name][~masks[name]] == 0).all(), name
        assert not torch.equal(after[name][masks[name]], before[name][masks[name]]), name


def test_wandas_zeros_stay_through_recovery(tiny_teacher, tiny_task, tmp_path, monkeypatch):
    monkeypatch.setattr("constrictor.training.validation.Validation.best", property(lambda self: self.history[-1]))
    common = {"method": Wanda, "sparsity": 0.5, "calibration_size": 32}
    _prune(tiny_teacher, tiny_task, tmp_path / "bare", **common)
    manifest = _prune(tiny_teacher, tiny_task, tmp_path / "recovered", finetune_epochs=1, **common)
    assert manifest.details == {"pruned": {"weights": 32768, "sparsity": 0.5}, "recovered": True}
    after = _weights(tmp_path / "recovered/model")
    for name, bare in _weights(tmp_path / "bare/model").items():
        assert torch.equal(after[name] == 0, bare == 0), name
        assert not torch.equal(after[name], bare), name


def test_recovery_that_only_harms_is_not_taken(tiny_teacher, tiny_task, tmp_path):
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, sparsity=0.05, finetune_epochs=1, lr=5.0)
    before = _weights(tiny_teacher)
    after = _weights(tmp_path / "model")
    assert not manifest.details["recovered"]
    for name, mask in _kept_by_torch(before, 0.05, "global").items():
        assert torch.equal(after[name], before[name] * mask), name


def test_only_the_encoders_matrices_are_pruned(tiny_teacher, tiny_task, tmp_path):
    _prune(tiny_teacher, tiny_task, tmp_path)
    before, after = load_file(tiny_teacher / "model.safetensors"), load_file(tmp_path / "model/model.safetensors")
    pruned = set(_weights(tiny_teacher))
    assert len(pruned) == 4 * 6
    for key in before:
        assert torch.equal(before[key], after[key]) == (key.removesuffix(".weight") not in pruned), key


def test_sparsity_counts_zeros():
    linear = torch.nn.Linear(4, 2)
    linear.weight.data = torch.tensor([[0.0, 1, 0, 1], [1, 1, 1, 0]])
    assert sparsity_of({"a": linear}) == {"weights": 8, "sparsity": 0.375}


def test_lineage_grows_by_the_step(tiny_teacher, tiny_task, tmp_path):
    _prune(tiny_teacher, tiny_task, tmp_path)
    lineage = read_manifest(tmp_path / "model").lineage
    assert [record.step for record in lineage] == ["teacher", "mag"]
    assert lineage[-1].settings["sparsity"] == 0.4
