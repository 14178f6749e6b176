"""A training in a process whose memory does not suffice for its batches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

Row = Callable[[str, str, str], None]

# Memory is limited when the model has been opened and has made one small pass: to what the process has by then and
# some more. It is a process of its own, since the limit is one.
PROGRAM = """
import json, resource, sys
from pathlib import Path
import torch
from constrictor.study.steps.finetune import Finetune
from constrictor.training import engine
from constrictor.training.finetune import finetune
from constrictor.training.node import Node, TaskFolder

model, task, node, megabytes = *map(Path, sys.argv[1:4]), int(sys.argv[4])
sizes, collate, prepare = [], engine.Collator.__call__, engine.prepare_for_training

def watched(self, rows):
    batch = collate(self, rows)
    sizes.append(len(batch["input_ids"]))
    return batch

def limited(network):
    prepare(network)
    network(input_ids=torch.ones(1, 8, dtype=torch.long)).logits.sum().backward()
    network.zero_grad()
    used = next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]
    if megabytes:
        resource.setrlimit(resource.RLIMIT_DATA, (int(used) * 1024 + megabytes * 2**20,) * 2)

engine.Collator.__call__, engine.prepare_for_training = watched, limited
torch.set_num_threads(1)
step = Finetune(stage="finetune", model="tiny", epochs=2, batch_size=64, lr=1e-3, dropout=0.0, precision="fp32")
finetune(step, model, TaskFolder(task), Node(node, "teacher", seed=1))
print(json.dumps(sizes))
"""


def train(model: Path, task: Path, node: Path, megabytes: int) -> tuple[list[int], str, dict[str, torch.Tensor]]:
    """Train with so much memory more than the open model needs (0: as much as there is).

    Returns:
        The sizes of the batches that were computed, what was said, and the weights.
    """
    command = [sys.executable, "-c", PROGRAM, str(model), str(task), str(node), str(megabytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sizes = json.loads(done.stdout.splitlines()[-1])
    return sizes, done.stdout, load_file(node / "model/model.safetensors")


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_training_that_does_not_fit_goes_on_with_smaller_passes(
    tiny_model: Path, tiny_task: Path, tmp_path: Path, row: Row
) -> None:
    whole_sizes, _, whole = train(tiny_model, tiny_task, tmp_path / "whole", 0)
    sizes, said, cut = train(tiny_model, tiny_task, tmp_path / "cut", 12)
    assert whole_sizes == [64, 8, 64, 8]
    assert "out of memory with 64 examples at a time: going on with 32" in said
    smallest = min(sizes)
    for name, weights in whole.items():
        torch.testing.assert_close(cut[name], weights, rtol=0, atol=1e-4, msg=name)
    steps = [json.loads((tmp_path / name / "training.json").read_text("utf-8"))["history"] for name in ("whole", "cut")]
    assert [entry["step"] for entry in steps[0]] == [entry["step"] for entry in steps[1]] == [2, 4]
    row(
        "a training whose batch of 64 did not fit in the memory that it was left",
        f"it went on with passes of {smallest} and as many optimiser steps, each on the same examples; its weights differ "
        "by less than 0.0001 from those of a training with enough memory",
        "nothing",
    )
