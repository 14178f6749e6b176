"""What the tests of faults do to the little study, and what they look at afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from workbench import MESSAGES, Workbench, end

LITTLE = Path(__file__).with_name("little.yaml")
NODES = "results/little/animals/seed42"
TEACHER = f"{NODES}/teacher/model/manifest.json"
GOALS = ("--", f"{NODES}/teacher/metrics.json", f"{NODES}/teacher/kd/metrics.json")
"""Data, model, trainings and evaluation. The other stages would take longer than all of these; the long run meets them too."""
CHECKPOINTS = f"{NODES}/teacher/checkpoints"
LOG = f"{NODES}/teacher/logs/finetune.log"
EPOCHS = 60  # of a training that is long enough to be met at work


def train_long(bench: Workbench) -> None:
    """Have the study's teacher trained for long."""
    bench.edit("study.yaml", "model: tiny, epochs: 3,", f"model: tiny, epochs: {EPOCHS},")


def artifacts(bench: Workbench) -> dict[str, str]:
    """SHA-256 of everything that the same study gives again: manifests (which hold the models'), data, answers, metrics."""
    wanted = ("manifest.json", "metrics.json", ".parquet")
    files = [file for top in ("data", "results") for file in bench.path(top).rglob("*") if file.name.endswith(wanted)]
    return {
        str(file.relative_to(bench.folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)
    }


def leftovers(bench: Workbench) -> list[str]:
    """What nobody needs after a run that has ended well."""
    made = [path for top in ("data", "results", "reports") for path in bench.path(top).rglob("*")]
    return [str(path) for path in made if path.name.endswith(".partial") or path.name == "checkpoints"]


def stages_of(bench: Workbench) -> dict[str, float]:
    """The rules that a finished study ran, in the order in which they first began; the seconds of each one's longest job."""
    records = [json.loads(file.read_text(encoding="utf-8")) for file in bench.path(".snakemake/metadata").iterdir()]
    longest: dict[str, float] = {}
    for record in sorted(records, key=lambda record: record["starttime"]):
        rule, seconds = record["rule"], record["endtime"] - record["starttime"]
        longest[rule] = max(seconds, longest.get(rule, 0))
    return longest


def log_of(bench: Workbench) -> str:
    """What the training of the teacher has said."""
    return bench.path(LOG).read_text(encoding="utf-8")


def processes_in(bench: Workbench) -> list[psutil.Process]:
    """All processes that work in the study's folder, whoever started them."""
    folder = str(bench.folder)
    return [found for found in psutil.process_iter(["cwd"]) if (found.info["cwd"] or "").startswith(folder)]


def scripts_in(bench: Workbench) -> list[str]:
    """The rules whose scripts are running."""
    lines = [_command_of(process) for process in processes_in(bench)]
    return sorted({word.removeprefix("workflow_scripts.") for line in lines for word in line} & MESSAGES.keys())


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kill_everything(bench: Workbench, process: subprocess.Popen[str]) -> None:
    """SIGKILL for Snakemake and all its jobs at once, as a power cut would have it."""
    os.killpg(process.pid, signal.SIGSTOP)  # so that none of them sees how another ends
    os.killpg(process.pid, signal.SIGKILL)
    for other in processes_in(bench):
        other.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not processes_in(bench))


def wait_for(what: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until something is so, as long as a process lives."""
    end = time.monotonic() + 600  # a busy machine needs minutes to start what a quiet one starts in seconds
    while not what():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "waited for ten minutes"
        time.sleep(0.02)


@contextmanager
def training_met_at_work(bench: Workbench) -> Iterator[subprocess.Popen[str]]:
    """A run whose teacher has been training for some checkpoints; nothing of it is left running afterwards."""
    process = bench.start("--", TEACHER, cores=1)
    try:
        wait_for(lambda: len(list(bench.path(CHECKPOINTS).glob("checkpoint-*/complete"))) > 1, process)
        yield process
    finally:
        end(process)


def errors_on(screen: str) -> list[str]:
    """The messages of our own on a screen."""
    return [line for line in screen.splitlines() if line.startswith("Error: ")]


def damage(file: Path) -> None:
    """Flip a bit in the middle; the file is written anew, so that other links to its content stay as they are."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.unlink()
    file.write_bytes(content)
