"""Gradual magnitude pruning and movement pruning as a whole: masks that are part of the model during recovery fine-tuning."""

import itertools
import json

import pytest
import torch
from heads import logits_of, task_in, train_plan
from safetensors.torch import load_file

from constrictor.compression.pruning import prune as stage
from constrictor.data.examples import read_examples
from constrictor.models.architecture import encoder_linears
from constrictor.runtimes.load import load
from constrictor.study.steps.prune import Magnitude, Movement
from constrictor.tasks.classification.metrics import cross_entropy
from constrictor.training import callbacks
from constrictor.training.node import Node, TaskFolder

SPARSITY = 0.6
STEPS_PER_EPOCH = 4
COMMON = {"stage": "prune", "sparsity": SPARSITY, "finetune_epochs": 3, "lr": 3e-3, "batch_size": 18}
SETTINGS = {
    "magnitude": Magnitude(method="magnitude", gradual=True, **COMMON),
    "movement": Movement(method="movement", **COMMON),
}


@pytest.fixture(params=["magnitude", "movement"])
def method(request) -> str:
    return request.param


@pytest.fixture
def run(method, tiny_teacher, tiny_task, tmp_path, monkeypatch):
    """Prune the tiny teacher; ``watch`` sees the encoder's matrices after each step."""

    def once(folder="gradual", watch=lambda share, weights: None, **changes):
        original = {"magnitude": stage.prune_by_magnitude, "movement": stage.prune_by_movement}[method]

        def watched(model, settings, sample):
            pruned = original(model, settings, sample)
            mask = pruned.after_step

            def after_step(share: float) -> None:
                mask(share)
                with torch.no_grad():
                    watch(share, {name: module.weight for name, module in encoder_linears(model).items()})

            pruned.after_step = after_step
            return pruned

        monkeypatch.setitem(stage.METHODS, method, watched)
        settings, node = SETTINGS[method].model_copy(update=changes), Node(tmp_path / folder, "gradual", seed=2)
        task = task_in(tiny_task)
        return stage.prune(settings, tiny_teacher, [], train_plan(task), task, node)

    once.folder = tmp_path
    return once


def _kill_at(step: int, monkeypatch: pytest.MonkeyPatch):
    """Interrupts a training in a step; the step before leaves a checkpoint."""
    done = itertools.count(1)

    def watch(share, weights) -> None:
        now = next(done)
        if now == step:
            monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 60)
            raise KeyboardInterrupt
        if now == step - 1:
            monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)

    return watch


def _score_validation(monkeypatch, accuracies: list[float]) -> None:
    remaining = iter(accuracies)
    monkeypatch.setattr(TaskFolder, "validator", lambda *_: lambda model: {"accuracy": next(remaining)})


def test_sparsity_rises_on_the_schedule_and_stays_at_the_end(run):
    found: list[tuple[float, float]] = []
    total = 4 * (4 * 32 * 32 + 2 * 32 * 64)

    def watch(share, weights) -> None:
        found.append((share, sum(int((weight == 0).sum()) for weight in weights.values())))

    manifest = run(watch=watch)
    assert len(found) == 3 * STEPS_PER_EPOCH
    for share, zeros in found:
        rising = min(1, share * 3 / 2)
        assert zeros == pytest.approx(total * SPARSITY * (1 - (1 - rising) ** 3), abs=24)  # rounded in each matrix
    assert manifest.details["pruned"] == {"weights": total, "sparsity": pytest.approx(SPARSITY, abs=1e-3)}


@pytest.mark.parametrize("method", ["magnitude"], indirect=True)
def test_what_is_once_zero_stays_zero_and_is_the_smallest_of_its_moment(run):
    zeros: list[dict[str, torch.Tensor]] = []
    weights_then: list[dict[str, torch.Tensor]] = []

    def watch(share, weights) -> None:
        zeros.append({name: weight == 0 for name, weight in weights.items()})
        weights_then.append({name: weight.clone() for name, weight in weights.items()})

    run(watch=watch)
    for before, after in itertools.pairwise(zeros):
        assert all(bool((after[name] | ~before[name]).all()) for name in before)
    # What goes between two steps is smaller than what stays, give or take one step of the optimiser.
    for step in range(1, 2 * STEPS_PER_EPOCH):
        gone = torch.cat([
            weights_then[step - 1][name][zeros[step][name] & ~zeros[step - 1][name]].abs() for name in zeros[step]
        ])  # fmt: skip
        stays = min(float(weight[weight != 0].abs().min()) for weight in weights_then[step].values())
        assert len(gone) == 0 or gone.max() < stays + 0.01


def test_saved_model_is_a_plain_one_with_the_final_sparsity(run, tiny_teacher, tiny_task):
    run()
    folder = run.folder / "gradual/model"
    before, after = load_file(tiny_teacher / "model.safetensors"), load_file(folder / "model.safetensors")
    assert {key: value.shape for key, value in after.items()} == {key: value.shape for key, value in before.items()}
    assert all(value.dtype == torch.float32 for value in after.values())
    inside = [value for key, value in after.items() if ".encoder.layer." in key and value.ndim == 2]
    zeros = sum(int((value == 0).sum()) for value in inside)
    assert zeros == pytest.approx(SPARSITY * sum(value.numel() for value in inside), abs=24)
    # Loaded anew, it predicts as the trained model did.
    record = json.loads((run.folder / "gradual/training.json").read_text())
    examples = read_examples(tiny_task / "validation.parquet")
    logits = logits_of(load(folder, threads=1), examples.texts)
    best = record["history"][round(record["best_epoch"]) - 1]
    assert (logits.argmax(1) == examples.labels).mean() == best["accuracy"]
    assert cross_entropy(logits, examples.labels).mean() == pytest.approx(best["loss"], rel=0.02)


def test_resumed_while_the_sparsity_rises_equals_undisturbed(run, monkeypatch):
    undisturbed = run("undisturbed")
    with pytest.raises(KeyboardInterrupt):
        run("resumed", _kill_at(STEPS_PER_EPOCH + 3, monkeypatch))
    left: list[float] = []
    resumed = run("resumed", lambda share, weights: left.append(share))
    assert len(left) == 2 * STEPS_PER_EPOCH - 2
    assert resumed.files == undisturbed.files
    first, second = (load_file(run.folder / name / "model/model.safetensors") for name in ("undisturbed", "resumed"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_only_epochs_of_the_final_sparsity_compete(run, monkeypatch):
    _score_validation(monkeypatch, [0.9, 0.7, 0.8])
    manifest = run("whole")
    assert json.loads((run.folder / "whole/training.json").read_text())["best_epoch"] == 3
    assert manifest.details["pruned"]["sparsity"] == pytest.approx(SPARSITY, abs=1e-3)


def test_after_a_resumption_too(run, monkeypatch):
    _score_validation(monkeypatch, [0.9, 0.8])
    with pytest.raises(KeyboardInterrupt):
        run("killed", _kill_at(2 * STEPS_PER_EPOCH + 3, monkeypatch))
    _score_validation(monkeypatch, [0.7])
    manifest = run("killed")
    assert json.loads((run.folder / "killed/training.json").read_text())["best_epoch"] == 2
    assert manifest.details["pruned"]["sparsity"] == pytest.approx(SPARSITY, abs=1e-3)


@pytest.mark.parametrize("batch_size", [18, 72])
def test_one_epoch_is_enough_to_reach_the_final_sparsity(run, batch_size):
    manifest = run(finetune_epochs=1, batch_size=batch_size)
    record = json.loads((run.folder / "gradual/training.json").read_text())
    assert record["best_epoch"] == 1
    assert manifest.details == {
        "pruned": {"weights": 32768, "sparsity": pytest.approx(SPARSITY, abs=1e-3)},
        "recovered": True,
    }
