"""A training whose batches do not fit in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from heads import task_in, train_plan
from safetensors.torch import load_file
from transformers import BertForSequenceClassification

from constrictor.study.steps.finetune import Finetune
from constrictor.training.finetune import finetune
from constrictor.training.node import Node

Row = Callable[[str, str, str], None]
STEP = Finetune(stage="finetune", model="tiny", epochs=2, batch_size=24, lr=1e-4, dropout=0.0, precision="fp32")


def test_training_that_does_not_fit_goes_on_with_smaller_passes(
    tiny_model: Path, tiny_task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    forward, sizes = BertForSequenceClassification.forward, []

    def in_little_memory(self, *arguments, **named):
        if self.training:
            sizes.append(len(named["input_ids"]))
            if sizes[-1] > 6:
                raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, *arguments, **named)

    finetune(
        STEP,
        tiny_model,
        train_plan(task_in(tiny_task)),
        task_in(tiny_task),
        Node(tmp_path / "whole", "teacher", seed=1),
    )
    monkeypatch.setattr(BertForSequenceClassification, "forward", in_little_memory)
    finetune(
        STEP,
        tiny_model,
        train_plan(task_in(tiny_task)),
        task_in(tiny_task),
        Node(tmp_path / "cut", "teacher", seed=1),
    )
    whole, cut = (load_file(tmp_path / name / "model/model.safetensors") for name in ("whole", "cut"))
    for name, weights in whole.items():
        torch.testing.assert_close(cut[name], weights, rtol=0, atol=2e-5, msg=name)
    assert sizes == [24, 12, *[6] * (2 * 72 // 6)]
    steps = [json.loads((tmp_path / name / "training.json").read_text("utf-8"))["history"] for name in ("whole", "cut")]
    assert [entry["step"] for entry in steps[0]] == [entry["step"] for entry in steps[1]] == [3, 6]
    row(
        "an allocator that refuses a training its batch of 24 (by raising its error; memory is not exhausted)",
        "it went on with passes of 6, four a step, with as many steps on the same examples; no weight differs by more "
        "than 0.00002 from that of a training with enough memory",
        "nothing",
    )
