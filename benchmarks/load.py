"""Speed-ups that are measured while other processes compute: is one ever narrow and wrong?

    python benchmarks/load.py results/quickstart/movie_reviews/seed42 data/quickstart/tasks/movie_reviews/validation.parquet

A model is timed as rule `latency` does it, on one thread, under a load that differs from run to run. The truth is the ratio of
the processor time that a call takes, which other processes hardly change. A speed-up is wrong if the truth lies more than a
tenth outside its interval and the timing is not marked as disturbed. Every second run knows what the baselines take without
load; the others do not, as if that measurement had failed. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from constrictor.evaluation.fair_baseline import FairBaseline, find_fair_baseline
from constrictor.evaluation.latency import measure_latency
from constrictor.evaluation.latency_worker import inputs_of
from constrictor.evaluation.workers import read_inputs
from constrictor.machine import processor
from constrictor.runtimes.load import load
from constrictor.study.report import Latency

# Programs that keep a processor busy: always, now and then, for some seconds, after some seconds, and in its caches.
LOADS = {
    "none": "",
    "steady": "while True: pass",
    "bursts": """
import random, time
while True:
    time.sleep(random.uniform(0.1, 1.5))
    end = time.time() + random.uniform(0.1, 1.5)
    while time.time() < end: pass
""",
    "passes": """
import random, time
end = time.time() + random.uniform(5, 25)
while time.time() < end: pass
""",
    "comes": """
import random, time
time.sleep(random.uniform(5, 15))
while True: pass
""",
    "memory": """
import numpy as np
a, b = np.zeros(1 << 24), np.zeros(1 << 24)
while True: a[:] = b
""",
}
TENTH = 1.1


def processor_time(folder: Path, examples: Path, fair: FairBaseline, settings: Latency) -> float:
    """Milliseconds of processor time of a call on one thread, the median."""
    runtime = load(folder, threads=1, variant=fair.fastest)
    (batch,) = inputs_of(runtime.tokenizer, read_inputs(examples), settings.batch_sizes[0], settings.lengths[0])
    times = []
    for _ in range(60):
        start = time.thread_time()
        runtime.predict(batch)
        times.append(time.thread_time() - start)
    return 1000 * float(np.median(times[10:]))


@contextmanager
def busy(program: str, processes: int) -> Iterator[None]:
    """Run a program several times meanwhile."""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(processes if program else 0)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def without_reference(fair: FairBaseline) -> FairBaseline:
    """The record without the baselines' times."""
    return fair.model_copy(update={"baselines": {}})


def main() -> None:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("replicate", type=Path, help="results/<study>/<task>/<replicate>")
    parser.add_argument("examples", type=Path, help="the task's validation.parquet")
    parser.add_argument("--baselines", nargs=2, default=["teacher", "teacher/onnx"], help="torch and ONNX lineage")
    parser.add_argument("--model", default="teacher/onnx/int8", help="lineage of the model that is timed")
    parser.add_argument(
        "--runs", type=int, nargs=2, default=[0, 20], metavar=("FIRST", "END"), help="numbers of the runs"
    )
    arguments = parser.parse_args()
    names = dict(zip(("torch fp32", "ONNX fp32"), arguments.baselines, strict=True))
    folders = {name: arguments.replicate / lineage / "model" for name, lineage in names.items()}
    model = arguments.replicate / arguments.model / "model"
    settings = Latency(batch_sizes=[1], lengths=[32], threads=[1])
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "found.json"
        find_fair_baseline(folders, arguments.examples, settings, file, 1)
        fair = FairBaseline.model_validate_json(file.read_text(encoding="utf-8"))
        own = processor_time(model, arguments.examples, fair, settings)
        truths = {
            name: processor_time(folder, arguments.examples, fair, settings) / own for name, folder in folders.items()
        }
        print(f"{processor()['name']}; truth: " + ", ".join(f"×{ratio:.2f} {name}" for name, ratio in truths.items()))
        print("| run | load | reference | × torch fp32 | × ONNX fp32 | waited | attempts | marked | wrong |")
        print("| ---: | --- | --- | ---: | ---: | ---: | ---: | --- | --- |")
        wrong = marked = 0
        for run in range(*arguments.runs):
            name = list(LOADS)[run % len(LOADS)]
            processes = random.Random(run).randint(1, 2 * (os.cpu_count() or 1))
            known = run // len(LOADS) % 2 == 0
            with busy(LOADS[name], processes):
                measure_latency(
                    model, folders, arguments.examples, settings, file, 1, fair if known else without_reference(fair)
                )
            (shape,) = json.loads(file.read_text(encoding="utf-8"))["shapes"]
            lost = not shape["disturbed"] and any(outside(shape, name, truth) for name, truth in truths.items())
            wrong, marked = wrong + lost, marked + bool(shape["disturbed"])
            cells = (
                run, name if name == "none" else f"{name}, {processes}", "yes" if known else "no",
                *(cell(shape, baseline) for baseline in truths), f"{100 * shape['waiting']:.0f} %", shape["attempts"],
                "yes" if shape["disturbed"] else "", "yes" if lost else "",
            )  # fmt: skip
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print(f"{wrong} wrong, {marked} marked")


def outside(shape: dict[str, Any], name: str, truth: float) -> bool:
    """Whether the truth lies more than a tenth outside the interval."""
    low, high = shape["speedup_interval"][name]
    return not low / TENTH <= truth <= high * TENTH


def cell(shape: dict[str, Any], name: str) -> str:
    """A speed-up with its interval."""
    low, high = shape["speedup_interval"][name]
    return f"{shape['speedup'][name]:.1f} [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    main()
