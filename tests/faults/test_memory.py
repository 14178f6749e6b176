"""A training in a process whose memory does not suffice for its batches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Row = Callable[[str, str, str], None]
BATCH = 64

# Memory is limited when the model has been opened, to what the process has by then and some more.
PROGRAM = """
import resource, sys
from pathlib import Path
import torch
from constrictor.study.steps.finetune import Finetune
from constrictor.training import engine
from constrictor.training.finetune import finetune
from constrictor.training.node import Node, TaskFolder

model, task, node, more = *map(Path, sys.argv[1:4]), int(sys.argv[4])
real, seen = engine.Collator.__call__, []
def watched(self, rows):
    batch = real(self, rows)
    seen.append(len(batch["input_ids"]))
    return batch
engine.Collator.__call__ = watched
prepare = engine.prepare_for_training
def limited(network):
    prepare(network)
    network(input_ids=torch.ones(1, 8, dtype=torch.long)).logits.sum().backward()  # what the first pass needs once
    network.zero_grad()
    used = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) * 1024
    if more:
        resource.setrlimit(resource.RLIMIT_DATA, (used + more, used + more))
engine.prepare_for_training = limited
torch.set_num_threads(1)
step = Finetune(stage="finetune", model="tiny", epochs=2, batch_size=%d, lr=1e-3, dropout=0.0, precision="fp32")
finetune(step, model, TaskFolder(task), Node(node, "teacher", seed=1))
resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2) if not more else None
print("batches", seen)
""" % BATCH


def train(model: Path, task: Path, node: Path, more: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(model), str(task), str(node), str(more)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
