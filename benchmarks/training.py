"""Examples a second of the training engine against ordinary ways of training the same model on the same data.

    python benchmarks/training.py [--rounds 3] [--seconds 12]

Every variant runs in a process of its own, the variants take turns in every round, and each reported ratio is the median
over the rounds of the ratio within a round. The first steps of a process are not counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TASK = ROOT / "data/quickstart/tasks/movie_reviews"
MODEL = ROOT / "data/quickstart/models/minilm"
STUDENT_LAYERS = [0, 2, 4]
BATCH, WARM_UP_STEPS = 32, 4

# What each variant does; a later one adds one ingredient to the one before it.
FINETUNING = {
    "plain": "trainer, fp32, padded to 128",
    "dynamic": "trainer's defaults, fp32, dynamic padding",
    "buckets": "+ batches of one length",
    "bf16": "+ bf16 autocast",
    "attention": "+ plain attention (fused one is slow backwards on a CPU)",
    "engine": "+ freed memory kept: this engine",
}
DISTILLATION = {
    "kd-plain": "trainer, fp32, padded to 128, teacher evaluated at every step",
    "kd-dynamic": "the same with dynamic padding",
    "kd-cached": "this engine, its dropout as the model's",
    "kd-engine": "this engine as the stage `distil` runs it (no dropout)",
}


class Done(Exception):
    """The variant has run for long enough."""


class Clock:
    """Counts steps, forgets the first, and ends the training after some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps = 0
        self.start = 0.0

    def step(self) -> None:
        """Call after each optimiser step."""
        self.steps += 1
        if self.steps == WARM_UP_STEPS:
            self.start = time.perf_counter()
        elif self.steps > WARM_UP_STEPS and time.perf_counter() - self.start > self.seconds:
            raise Done

    @property
    def rate(self) -> float:
        """Examples a second."""
        return (self.steps - WARM_UP_STEPS) * BATCH / (time.perf_counter() - self.start)


def run_variant(variant: str, seconds: float) -> float:
    """Train for some seconds in this process and return the examples a second."""
    from constrictor.data.examples import read_examples
    from constrictor.data.tokenization import Tokenizer
    from constrictor.models.architecture import keep_layers
    from constrictor.models.torch_model import load_model

    examples = read_examples(TASK / "train.parquet")
    tokenizer = Tokenizer(MODEL, 128)
    encoded = tokenizer.encode(examples.texts)
    model = load_model(MODEL, _kind().head, 128, seed=1)
    if variant.startswith("kd"):
        keep_layers(model, STUDENT_LAYERS)
    clock = Clock(seconds)
    trainer = _with_engine if variant in ("engine", "kd-cached", "kd-engine") else _with_trainer
    with tempfile.TemporaryDirectory() as folder:
        try:
            trainer(variant, model, encoded, tokenizer.pad_id, examples.labels, Path(folder), clock)
        except Done:
            return clock.rate
    raise AssertionError("the training ended before its time")


def _kind() -> Any:
    """Two classes."""
    from constrictor.models.manifest import TaskRecord
    from constrictor.tasks.registry import kind_of

    return kind_of(TaskRecord(kind="classification", labels=["0", "1"], max_length=128))


def _with_engine(variant: str, model: Any, encoded: Any, pad_id: int, labels: Any, folder: Path, clock: Clock) -> None:
    import numpy as np

    from constrictor.study.steps.distil import Distil
    from constrictor.study.steps.finetune import Finetune
    from constrictor.tasks.classification import model as losses
    from constrictor.training.data import TEACHER, TrainingData
    from constrictor.training.engine import train
    from constrictor.training.objective import output_loss

    targets = {"labels": labels}
    soft_targets = None
    if variant.startswith("kd"):
        dropout = None if variant == "kd-cached" else 0.0
        settings: Any = Distil(stage="distil", student={"layers": STUDENT_LAYERS}, dropout=dropout, batch_size=BATCH)
        soft_targets = settings
        targets[f"{TEACHER}logits"] = np.zeros((len(labels), 2), dtype=np.float32)
    else:
        settings = Finetune(stage="finetune", batch_size=BATCH)
    train(
        model,
        TrainingData(encoded, pad_id, targets),
        output_loss(losses, soft_targets),
        lambda model: {"accuracy": 0.0},
        settings,
        head=_kind().head,
        epochs=50,
        seed=1,
        metric="accuracy",
        checkpoints=folder,
        identity="benchmark",
        after_step=lambda done: clock.step(),
    )


def _with_trainer(variant: str, model: Any, encoded: Any, pad_id: int, labels: Any, folder: Path, clock: Clock) -> None:
    from transformers import TrainerCallback, TrainingArguments

    from constrictor.training.batches import Collator, LengthBuckets, RowNumbers

    class Stop(TrainerCallback):
        def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.step()

    collate: Callable[[list[int]], Any] = Collator(encoded, pad_id, labels=labels)
    if variant == "attention":
        model.set_attn_implementation("eager")
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=50,
        per_device_train_batch_size=BATCH,
        bf16=variant in ("bf16", "attention"),
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        remove_unused_columns=False,
        disable_tqdm=True,
        logging_strategy="no",
    )
    trainer = (_distilling_trainer() if variant.startswith("kd") else _ordinary_trainer())(
        model=model,
        args=arguments,
        train_dataset=RowNumbers(len(encoded)),
        data_collator=_padded_to_128(collate, pad_id) if variant.endswith("plain") else collate,
        callbacks=[Stop()],
    )
    if variant in ("buckets", "bf16", "attention"):
        order = LengthBuckets([len(ids) for ids in encoded], BATCH, 1)
        trainer._get_train_sampler = lambda *_: order
    trainer.train()


def _padded_to_128(collate: Callable[[list[int]], Any], pad_id: int) -> Callable[[list[int]], Any]:
    import torch

    def padded(rows: list[int]) -> Any:
        batch = collate(rows)
        missing = 128 - batch["input_ids"].shape[1]
        for name, value in (("input_ids", pad_id), ("attention_mask", 0)):
            batch[name] = torch.nn.functional.pad(batch[name], (0, missing), value=value)
        return batch

    return padded


def _ordinary_trainer() -> type:
    from transformers import Trainer

    return Trainer


def _distilling_trainer() -> type:
    """The trainer as distillation tutorials extend it: the teacher answers at every step."""
    import torch
    from torch.nn.functional import kl_div, log_softmax, softmax
    from transformers import Trainer

    from constrictor.models.torch_model import load_model

    teacher = load_model(MODEL, _kind().head, 128, seed=1).eval()

    class DistillingTrainer(Trainer):
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            output = model(**inputs)
            with torch.no_grad():
                logits = teacher(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
            soft = kl_div(log_softmax(output.logits / 2, -1), softmax(logits / 2, -1), reduction="batchmean") * 4
            return 0.5 * soft + 0.5 * output.loss

    return DistillingTrainer


def main() -> None:
    """Run all variants in turn and print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often the variants take turns")
    parser.add_argument("--seconds", type=float, default=12.0, help="training time of a variant in a round")
    parser.add_argument("--variant", help="run this one here and print its rate (used by the rounds)")
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(run_variant(options.variant, options.seconds)))
        return
    variants = {**FINETUNING, **DISTILLATION}
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(options.rounds):
        for name in variants:
            command = [sys.executable, __file__, "--variant", name, "--seconds", str(options.seconds)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rates[name].append(json.loads(output.splitlines()[-1]))
            print(f"round {number + 1}: {name:<12} {rates[name][-1]:7.1f} examples/s", file=sys.stderr, flush=True)
    for title, group in (("fine-tuning", FINETUNING), ("distillation, 3 layers", DISTILLATION)):
        baseline = rates[next(iter(group))]
        print(f"\n{title:<68} examples/s   ratio to the first [range]   to the line above")
        above = baseline
        for name, description in group.items():
            ratios = [own / first for own, first in zip(rates[name], baseline, strict=True)]
            step = median(own / before for own, before in zip(rates[name], above, strict=True))
            spread = f"[{min(ratios):.1f}, {max(ratios):.1f}]"
            print(f"{description:<68} {median(rates[name]):10.1f}   {median(ratios):6.1f} {spread:<19}   {step:10.2f}")
            above = rates[name]


if __name__ == "__main__":
    main()
