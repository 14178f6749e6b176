import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from heads import head_with, load_classifier, task_in
from little import damage
from transformers import BertForSequenceClassification
from transformers.models.bert.modeling_bert import BertIntermediate

from constrictor.data.examples import read_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.files.exclusive_lock import exclusive_lock
from constrictor.study.steps.step import Optimisation
from constrictor.tasks.classification.model import label_loss
from constrictor.training import callbacks, engine, trackers
from constrictor.training.checkpoints import mark_whole, newest_checkpoint
from constrictor.training.data import TrainingData
from constrictor.training.engine import Trained, train
from constrictor.training.trackers import VARIABLE
from constrictor.training.trainer import arguments

SETTINGS = Optimisation(lr=1e-3, batch_size=8, dropout=0.1)
ROWS = 40
STEPS_PER_EPOCH = 5


@pytest.fixture
def run(tiny_model: Path, tiny_task: Path, tmp_path: Path):
    """Train the tiny model: gives its weights and what came of it."""
    tokenizer = Tokenizer(tiny_model, 32)
    examples = read_examples(tiny_task / "train.parquet")
    data = TrainingData(tokenizer.encode(examples.texts), tokenizer.pad_id, {"labels": examples.labels})
    real_validate = task_in(tiny_task).validator(tokenizer)

    def train_once(
        folder="checkpoints", settings=SETTINGS, validate=real_validate, rows=ROWS, watch=None, identity="same", **more
    ) -> tuple[dict[str, torch.Tensor], Trained]:
        model = load_classifier(tiny_model, ["bad", "good"], 32, seed=1)
        if watch is not None:
            more["after_step"] = lambda share: watch(model)
        how = {"head": head_with(), "epochs": 2, "seed": 7, "metric": "accuracy"}
        how |= {"checkpoints": tmp_path / folder, "identity": identity, **more}
        trained = train(model, _take(data, rows), label_loss, validate, settings, **how)
        shutil.rmtree(more.get("checkpoints", tmp_path / folder))  # as a stage does when it has saved the model
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}, trained

    train_once.validate = real_validate
    train_once.checkpoints = tmp_path / "checkpoints"
    return train_once


def _take(data: TrainingData, rows: int) -> TrainingData:
    return TrainingData(data.encoded[:rows], data.pad_id, {name: array[:rows] for name, array in data.targets.items()})


def _assert_equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


def _interrupt_at(count: int):
    calls = []

    def watch(model) -> None:
        calls.append(1)
        if len(calls) == count:
            raise KeyboardInterrupt

    return watch


def _scripted(values: list[float], seen: list | None = None):
    remaining = iter(values)

    def validate(model) -> dict[str, float]:
        if seen is not None:
            seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return {"accuracy": next(remaining)}

    return validate


def _kill_after_training(run, monkeypatch, **arguments) -> None:
    def interrupt(model, file):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "load_state", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(**arguments)


def test_training_fits_the_task(run):
    _, trained = run(settings=Optimisation(lr=5e-3, batch_size=8, dropout=0.0), epochs=4, rows=72)
    assert max(entry["accuracy"] for entry in trained.history) > 0.9


def test_same_seed_gives_same_weights_and_another_seed_others(run):
    first, _ = run(epochs=1)
    second, _ = run(epochs=1)
    third, _ = run(epochs=1, seed=8)
    _assert_equal(first, second)
    assert not torch.equal(first["classifier.weight"], third["classifier.weight"])


def test_resumed_at_the_end_of_an_epoch_equals_undisturbed(run):
    undisturbed, whole = run()
    calls = []

    def validate(model) -> dict[str, float]:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run.validate(model)

    with pytest.raises(KeyboardInterrupt):
        run(validate=validate)
    resumed, rest = run()
    _assert_equal(undisturbed, resumed)
    assert rest.history == whole.history
    assert rest.examples == STEPS_PER_EPOCH * 8


def test_resumed_in_the_middle_of_an_epoch_equals_undisturbed(run, monkeypatch):
    undisturbed, whole = run()
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    with pytest.raises(KeyboardInterrupt):
        run(watch=_interrupt_at(STEPS_PER_EPOCH + 3))
    resumed, rest = run()
    _assert_equal(undisturbed, resumed)
    assert rest.history == whole.history
    assert rest.examples == (STEPS_PER_EPOCH - 2) * 8


def test_resumed_with_gradient_accumulation_equals_undisturbed(run, monkeypatch):
    settings = SETTINGS.model_copy(update={"gradient_accumulation": 2})
    undisturbed, whole = run(settings=settings)
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    with pytest.raises(KeyboardInterrupt):
        run(settings=settings, watch=_interrupt_at(5))
    resumed, rest = run(settings=settings)
    _assert_equal(undisturbed, resumed)
    assert rest.history == whole.history


def test_killed_between_last_checkpoint_and_saving_equals_undisturbed(run, monkeypatch):
    undisturbed, whole = run()
    _kill_after_training(run, monkeypatch)
    resumed, rest = run()
    _assert_equal(undisturbed, resumed)
    assert rest.history == whole.history
    assert rest.examples == 0


def test_killed_after_patience_ended_does_not_train_on(run, monkeypatch):
    patient = SETTINGS.model_copy(update={"patience": 1})
    _kill_after_training(run, monkeypatch, settings=patient, epochs=4, validate=_scripted([0.9, 0.5]))
    _, rest = run(settings=patient, epochs=4, validate=_scripted([1.0, 1.0, 1.0]))
    assert [entry["accuracy"] for entry in rest.history] == [0.9, 0.5]


def test_half_written_checkpoint_is_ignored_and_removed(run, monkeypatch):
    undisturbed, _ = run()
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    with pytest.raises(KeyboardInterrupt):
        run(watch=_interrupt_at(STEPS_PER_EPOCH + 3))
    broken = run.checkpoints / f"checkpoint-{STEPS_PER_EPOCH + 2}"
    (broken / "complete").unlink()
    (broken / "model.safetensors").write_bytes(b"half")
    newest = newest_checkpoint(run.checkpoints)
    assert newest == run.checkpoints / f"checkpoint-{STEPS_PER_EPOCH + 1}"
    assert not broken.exists()
    resumed, _ = run()
    _assert_equal(undisturbed, resumed)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.pt", "trainer_state.json", "best.safetensors", "complete"]
)
@pytest.mark.parametrize("both", [False, True])
def test_damaged_checkpoint_is_not_used_and_the_result_stays(run, monkeypatch, caplog, name, both):
    """The one before is, or where that is damaged too, the training starts anew."""
    undisturbed, whole = run(folder="undisturbed")
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    with pytest.raises(KeyboardInterrupt):
        run(watch=_interrupt_at(STEPS_PER_EPOCH + 3))
    steps = (STEPS_PER_EPOCH + 2, STEPS_PER_EPOCH + 1)
    for step in steps[: 1 + both]:
        damage(run.checkpoints / f"checkpoint-{step}" / name)
    with caplog.at_level("INFO", "constrictor"):
        resumed, rest = run()
    _assert_equal(undisturbed, resumed)
    assert rest.history == whole.history
    assert rest.examples == 8 * (2 * STEPS_PER_EPOCH - (0 if both else steps[1]))
    assert caplog.text.count(f"checkpoint-{steps[0]} is not used: its file ") == 1


def test_checkpoint_that_is_saved_again_is_whole(tmp_path):
    checkpoint = tmp_path / "checkpoint-1"
    checkpoint.mkdir()
    for content in ("by the clock", "at the end of the epoch"):
        (checkpoint / "model.safetensors").write_text(content, encoding="utf-8")
        mark_whole(checkpoint)
    assert newest_checkpoint(tmp_path) == checkpoint


@pytest.mark.parametrize("kept", [0, 1, -1])
def test_checkpoint_whose_seal_is_truncated_is_not_used(tmp_path, kept):
    checkpoint = tmp_path / "checkpoint-1"
    checkpoint.mkdir()
    (checkpoint / "model.safetensors").touch()
    mark_whole(checkpoint)
    seal = checkpoint / "complete"
    seal.write_bytes(seal.read_bytes()[:kept])
    assert newest_checkpoint(tmp_path) is None


def test_newest_checkpoint_is_found_by_number_not_by_name(tmp_path):
    for step in (9, 10, 100, 99):
        (tmp_path / f"checkpoint-{step}").mkdir()
        mark_whole(tmp_path / f"checkpoint-{step}")
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-100"
    assert newest_checkpoint(tmp_path / "missing") is None


def test_checkpoints_of_another_identity_are_not_used(run, monkeypatch):
    undisturbed, _ = run()
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    with pytest.raises(KeyboardInterrupt):
        run(identity="other", seed=3, watch=_interrupt_at(STEPS_PER_EPOCH + 2))
    weights, trained = run()
    assert trained.examples == 2 * STEPS_PER_EPOCH * 8
    _assert_equal(undisturbed, weights)


def test_weights_of_the_best_epoch_are_restored(run):
    seen: list = []
    weights, trained = run(epochs=3, validate=_scripted([0.5, 0.9, 0.7], seen))
    _assert_equal(weights, seen[1])
    assert trained.best_epoch == 2


def test_of_equal_epochs_the_first_is_kept(run):
    seen: list = []
    weights, trained = run(epochs=3, validate=_scripted([0.5, 0.9, 0.9], seen))
    _assert_equal(weights, seen[1])
    assert trained.best_epoch == 2


def test_initial_weights_may_win(run):
    seen: list = []
    weights, trained = run(epochs=2, competes_from=0, validate=_scripted([0.9, 0.5, 0.6], seen))
    _assert_equal(weights, seen[0])
    assert trained.best_epoch == 0


def test_epochs_compete_from_a_given_one_on(run):
    seen: list = []
    scores = [0.9, 0.8, 0.6, 0.7]
    weights, trained = run(epochs=4, competes_from=2.5, validate=_scripted(scores, seen))
    _assert_equal(weights, seen[3])
    assert trained.best_epoch == 4
    assert [entry["accuracy"] for entry in trained.history] == scores


def test_patience_waits_for_the_epochs_that_compete(run):
    settings = SETTINGS.model_copy(update={"patience": 1})
    scores = [0.9, 0.8, 0.7, 0.6, 0.5]
    _, trained = run(settings=settings, epochs=5, competes_from=3, validate=_scripted(scores))
    assert [entry["epoch"] for entry in trained.history] == [1, 2, 3, 4]
    assert trained.best_epoch == 3


def test_after_each_step_progress_is_reported_also_after_a_resumption(run, monkeypatch):
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    told: list[float] = []

    def tell(share: float) -> None:
        told.append(share)
        if len(told) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(after_step=tell)
    run(after_step=told.append)
    steps = 2 * STEPS_PER_EPOCH
    assert told == [step / steps for step in [1, 2, 3, 4, *range(4, steps + 1)]]


def test_patience_stops(run):
    settings = SETTINGS.model_copy(update={"patience": 2})
    _, trained = run(settings=settings, epochs=10, validate=_scripted([0.5, 0.9, 0.8, 0.9, 1.0]))
    assert [entry["accuracy"] for entry in trained.history] == [0.5, 0.9, 0.8, 0.9]
    assert trained.best_epoch == 2


def test_two_accumulated_batches_of_four_equal_one_of_eight(run, monkeypatch):
    class InOrder(engine.LengthBuckets):
        def __iter__(self):
            return iter(range(len(self)))

    monkeypatch.setattr(engine, "LengthBuckets", InOrder)
    results = []
    for batch_size, accumulation in ((8, 1), (4, 2)):
        gradients: list = []
        settings = Optimisation(
            lr=1e-4, batch_size=batch_size, gradient_accumulation=accumulation, dropout=0.0, precision="fp32",
            max_gradient_norm=1e9,
        )  # fmt: skip
        weights, trained = run(
            settings=settings, epochs=2, rows=32, watch=lambda model, found=gradients: found.append(_gradients(model))
        )
        results.append((weights, gradients, trained.examples))
    (one, one_gradients, one_examples), (two, two_gradients, two_examples) = results
    assert len(one_gradients) == len(two_gradients) == 8
    assert one_examples == two_examples == 64
    torch.testing.assert_close(two_gradients[0], one_gradients[0], rtol=1e-3, atol=1e-6)
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=5e-5, msg=name)


def _gradients(model) -> torch.Tensor:
    return torch.cat(
        [parameter.grad.flatten().clone() for parameter in model.parameters() if parameter.grad is not None]
    )


def test_every_epoch_reads_every_row_once_in_another_order(run, monkeypatch):
    read: list[list[int]] = []
    real = engine.Collator.__call__
    monkeypatch.setattr(engine.Collator, "__call__", lambda self, rows: (read.append(rows), real(self, rows))[1])
    run(epochs=2, settings=SETTINGS.model_copy(update={"gradient_accumulation": 4}), rows=70)
    flat = [row for batch in read for row in batch]
    assert sorted(flat[:70]) == sorted(flat[70:]) == list(range(70))
    assert flat[:70] != flat[70:]


def test_dropout_setting_reaches_every_dropout_and_null_keeps_the_models_own(tiny_model):
    model = load_classifier(tiny_model, ["bad", "good"], 32)
    engine._set_dropout(model, 0.0)
    model.train()
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)


def test_warmup_and_schedule_reach_the_trainer(tmp_path):
    found = arguments(
        Optimisation(warmup=0.25, schedule="constant", weight_decay=0.3, max_gradient_norm=0.7), 2, 5, tmp_path
    )
    assert found.get_warmup_steps(40) == 10
    assert found.lr_scheduler_type == "constant_with_warmup"
    assert (found.weight_decay, found.max_grad_norm, found.seed) == (0.3, 0.7, 5)


@pytest.mark.parametrize("size", ["64k", "300k", "600k"])
def test_full_disk_while_training_is_named(run, small_disk, size):
    disk = small_disk(size)
    with pytest.raises(ConstrictorError, match="disk is full"):
        run(checkpoints=disk / "checkpoints")


def test_summary_counts_examples_per_second():
    summary = Trained([{"epoch": 1}], best_epoch=1, seconds=2.0, examples=10).summary()
    assert summary["examples_per_second"] == 5.0
    assert json.loads(json.dumps(summary))["best_epoch"] == 1


def test_a_second_training_in_the_same_folder_is_refused_and_disturbs_nothing(run):
    run.checkpoints.mkdir(parents=True)
    (run.checkpoints / "of the first").touch()
    with exclusive_lock(run.checkpoints), pytest.raises(ConstrictorError, match=r"is at work in .*checkpoints"):
        run()
    assert [file.name for file in run.checkpoints.iterdir()] == ["of the first"]


def test_a_note_of_the_identity_guards_the_folder(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    engine._claim(folder, "a")
    (folder / "checkpoint-1").mkdir()
    engine._claim(folder, "a")
    assert (folder / "checkpoint-1").is_dir()
    engine._claim(folder, "b")
    assert not (folder / "checkpoint-1").exists()
    shutil.rmtree(folder)


def test_a_lone_incomplete_batch_is_trained_on(run):
    _, trained = run(epochs=1, rows=5)
    assert trained.history[0]["step"] == 1
    assert np.isfinite(trained.history[0]["loss"])


def test_record_and_best_weights_are_those_of_the_checkpoint(run, monkeypatch):
    """A kill after a better epoch was found and before its checkpoint was whole: that epoch never was."""
    seen: list = []

    def interrupt(checkpoint: Path) -> None:
        if checkpoint.name == f"checkpoint-{2 * STEPS_PER_EPOCH}":
            raise KeyboardInterrupt
        mark_whole(checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "mark_whole", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(folder="killed", validate=_scripted([0.5, 0.9], seen))
    weights, trained = run(folder="killed", validate=_scripted([0.4]))
    assert [entry["accuracy"] for entry in trained.history] == [0.5, 0.4]
    _assert_equal(weights, seen[0])


AVERAGED = SETTINGS.model_copy(update={"weight_average": 0.8})


def test_average_of_the_weights_is_what_is_validated_and_kept(run):
    seen, validated = [], []
    live = lambda model: {name: value.detach().double().numpy() for name, value in model.named_parameters()}  # noqa: E731

    def validate(model):
        validated.append({name: value.copy() for name, value in live(model).items()})
        return run.validate(model)

    start, _ = run(folder="none", epochs=1, settings=SETTINGS.model_copy(update={"lr": 1e-30}))
    kept, trained = run(
        settings=AVERAGED,
        validate=validate,
        watch=lambda model: seen.append({k: v.copy() for k, v in live(model).items()}),
    )
    average = {name: start[name].double().numpy() for name in seen[0]}
    wanted = []
    for step, weights in enumerate(seen, start=1):
        decay = min(0.8, (1 + step) / (10 + step))
        average = {name: decay * average[name] + (1 - decay) * weights[name] for name in average}
        if step % STEPS_PER_EPOCH == 0:
            wanted.append(average)
    for expected, found in zip(wanted, validated, strict=True):
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)
    best = wanted[int(trained.best_epoch) - 1]
    for name in best:
        np.testing.assert_allclose(kept[name].numpy(), best[name], atol=1e-5, err_msg=name)
    assert not np.allclose(seen[-1]["classifier.weight"], wanted[-1]["classifier.weight"], atol=1e-6)


def test_averaged_training_resumed_in_the_middle_equals_undisturbed(run, monkeypatch):
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    undisturbed, _ = run(folder="other", settings=AVERAGED)
    with pytest.raises(KeyboardInterrupt):
        run(settings=AVERAGED, watch=_interrupt_at(8))
    resumed, _ = run(settings=AVERAGED)
    _assert_equal(undisturbed, resumed)


def _raise_above(monkeypatch, rows: int, error: Exception, from_call: int = 1) -> list[int]:
    """Let the model's training pass run out of memory with more rows than these; gives the sizes that were tried."""
    real, sizes = BertForSequenceClassification.forward, []

    def forward(self, *arguments, **named):
        if self.training:
            sizes.append(len(named["input_ids"]))
            if sizes[-1] > rows and len(sizes) >= from_call:
                raise error
        return real(self, *arguments, **named)

    monkeypatch.setattr(BertForSequenceClassification, "forward", forward)
    return sizes


EXACT = SETTINGS.model_copy(update={"dropout": 0.0, "precision": "fp32", "lr": 1e-4})
CPU_ERROR = RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), CPU_ERROR], ids=["gpu", "cpu"])
@pytest.mark.parametrize("from_call", [1, 4, STEPS_PER_EPOCH + 3])
def test_batch_that_does_not_fit_is_split_and_the_result_stays(run, monkeypatch, capsys, error, from_call):
    """At the first step, before the first checkpoint (weights have changed), and after one."""
    whole, trained = run(settings=EXACT)
    sizes = _raise_above(monkeypatch, 2, error, from_call)
    cut, again = run(folder="cut", settings=EXACT)
    for name in whole:
        torch.testing.assert_close(cut[name], whole[name], rtol=0, atol=2e-5, msg=name)
    assert [entry["step"] for entry in again.history] == [entry["step"] for entry in trained.history]
    assert set(sizes) == {8, 4, 2}
    steps_left = 2 * STEPS_PER_EPOCH - (STEPS_PER_EPOCH if from_call > STEPS_PER_EPOCH else 0)
    assert sizes.count(2) == 4 * steps_left
    assert "out of memory with 4 examples per pass: continuing with 2" in capsys.readouterr().out


def test_one_example_that_does_not_fit_is_the_users_matter(run, monkeypatch):
    _raise_above(monkeypatch, 0, torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(ConstrictorError, match=r"one example at a time.*gradient_checkpointing: true"):
        run()


def test_other_errors_are_not_taken_for_a_lack_of_memory(run, monkeypatch):
    sizes = _raise_above(monkeypatch, 0, RuntimeError("shapes disagree"))
    with pytest.raises(RuntimeError, match="shapes disagree"):
        run()
    assert sizes == [8]


def test_gradient_checkpointing_computes_twice_and_gives_the_same_weights(run, monkeypatch):
    passes: list[int] = []
    real = BertIntermediate.forward
    monkeypatch.setattr(BertIntermediate, "forward", lambda self, x: (passes.append(self.training), real(self, x))[1])
    plain, _ = run(epochs=1)
    count = sum(passes)
    passes.clear()
    saving, _ = run(folder="other", epochs=1, settings=SETTINGS.model_copy(update={"gradient_checkpointing": True}))
    _assert_equal(plain, saving)
    assert count == STEPS_PER_EPOCH * 4
    assert sum(passes) == 2 * count


def test_summary_reports_what_the_training_cost(run):
    summary = run(epochs=1)[1].summary()
    assert summary["trainable_parameters"] == summary["total_parameters"] > 30_000
    assert summary["peak_memory_bytes"] > 50e6


def test_tensorboard_follows_without_changing_the_result(run, monkeypatch, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    plain, _ = run(epochs=2)
    monkeypatch.setenv(VARIABLE, "tensorboard")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "logs/tensorboard"))
    followed, trained = run(folder="other", epochs=2)
    _assert_equal(plain, followed)
    (file,) = (tmp_path / "logs/tensorboard").glob("events*")
    assert b"hf_secret" not in file.read_bytes()
    found = EventAccumulator(str(file))
    found.Reload()
    logged = [event.value for event in found.Scalars("train/validation_accuracy")]
    assert logged == pytest.approx([entry["accuracy"] for entry in trained.history])
    assert len(found.Scalars("train/loss")) == 1  # one line in ten steps


def test_missing_tracker_is_refused_before_the_training(run, monkeypatch):
    monkeypatch.setenv(VARIABLE, "mlflow")
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(ConstrictorError, match="pip install mlflow"):
        run(watch=lambda model: pytest.fail("it was trained"))


def test_a_training_that_diverges_is_refused(run, tmp_path):
    with pytest.raises(ConstrictorError, match=r"the training has diverged: .* Lower 'lr'"):
        run(settings=SETTINGS.model_copy(update={"lr": 1e9}))


def test_a_training_that_diverges_after_a_good_epoch_ends_with_that(run):
    seen = []

    def validate(model):
        seen.append({"accuracy": 0.5 + len(seen), "loss": 0.1 if len(seen) < 2 else float("nan")})
        return seen[-1]

    _, trained = run(validate=validate, epochs=5)
    assert len(seen) == 3
    assert trained.best_epoch == 2
