"""A copy of the workflow in a folder of its own, with a small real study, and ways to run, plan, change and kill it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
STUDY, EVERY_METHOD = (Path(__file__).with_name(name) for name in ("study.yaml", "every_method.yaml"))
WORKFLOW = (
    "Snakefile",
    "rules",
    "constrictor",
    "workflow_scripts",
    "docs/captions",
    "envs",
    "profiles",
    "pyproject.toml",
)

# What tests are run with and users are not: without bytecode, every job compiles the library.
_NOT_PASSED_ON = ("PYTEST", "SNAKEMAKE", "PYTHONDONTWRITEBYTECODE")

REPORT = "reports/small_study/animals"
NODES = "results/small_study/animals"
EVERY_NODE = "results/every_method/animals/seed42"
TEACHER = f"{NODES}/seed42/teacher/model/manifest.json"

# The message of each rule. A plan is read from these lines and checked against Snakemake's own table of counts.
MESSAGES = {
    "download_dataset": r"Read and split the task (?P<what>\S+)",
    "download_extra_test_set": r"Read the extra test set (?P<what>\S+) of the task animals",
    "download_corpus": r"Read the corpus (?P<what>\S+)",
    "download_model": r"Fetch the model (?P<what>\S+)",
    "select_subset": r"Select the subset (?P<what>\S+)",
    "take_checkpoint": r"Take the checkpoint (?P<what>\S+) as it is, for animals \((?P<replicate>\w+)\)",
    "finetune": r"Fine-tune (?P<what>\S+) on animals \((?P<replicate>\w+)\)",
    "teacher_outputs": r"Label (?P<what>\S+ with \S+) \(animals, (?P<replicate>\w+)\)",
    "distil": r"Distil (?P<what>\S+) on animals \((?P<replicate>\w+)\)",
    "prune": r"Prune (?P<what>\S+) on animals \((?P<replicate>\w+)\)",
    "quantize": r"Quantize (?P<what>\S+) \(animals, (?P<replicate>\w+)\)",
    "quantize_aware": r"Quantization-aware training of (?P<what>\S+) \(animals, (?P<replicate>\w+)\)",
    "export": r"Export (?P<what>\S+) \(animals, (?P<replicate>\w+)\)",
    "evaluate": r"Evaluate (?P<what>\S+) on animals \((?P<replicate>\w+)\)",
    "fair_baseline": r"Find the fastest way to run (?P<what>\S+) \(animals, (?P<replicate>\w+)\)",
    "latency": r"Time (?P<what>\S+) \(animals, (?P<replicate>\w+)\)",
    "compare": r"Compare the models of (?P<what>\S+)",
}
Job = tuple[str, str]
"""A rule and what it works on: a lineage (behind its replicate, where that is not seed 42), a task, a subset."""


class Finished(NamedTuple):
    """What a call of Snakemake leaves for its user."""

    code: int
    screen: str


class Workbench:
    """A folder with the workflow and a study in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)},
            # The copy's code is what runs and what is digested, and not the code that is installed.
            "PYTHONPATH": str(folder),
            "HF_HUB_OFFLINE": "1",
            # Threads that wait do not spin: on a busy machine, models as small as these are then a hundred times slower.
            "OMP_WAIT_POLICY": "PASSIVE",
            "COLUMNS": "200",
        }

    @classmethod
    def with_workflow(cls, folder: Path, study: Path = STUDY) -> Workbench:
        """Copy the workflow and a study into a new folder."""
        for name in WORKFLOW:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target)
            else:
                shutil.copy2(ROOT / name, target)
        shutil.copy2(study, folder / "study.yaml")
        return cls(folder)

    def copy_to(self, folder: Path) -> Workbench:
        """All of it once more, with Snakemake's records and the times of the files."""
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        return Workbench(folder)

    def path(self, name: str) -> Path:
        """A file of this folder."""
        return self.folder / name

    def start(self, *arguments: str, cores: int = 2) -> subprocess.Popen[str]:
        """Start Snakemake as a user would, who can press Ctrl-C: below a script in the background it would be ignored."""
        heeding = ["env", "--default-signal=INT"]
        return subprocess.Popen(
            [*heeding, str(SNAKEMAKE), "--cores", str(cores), "--configfile", "study.yaml", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,  # one of its own, to which signals go as from a terminal
        )

    def snakemake(self, *arguments: str, cores: int = 2) -> Finished:
        """Run Snakemake to its end."""
        process = self.start(*arguments, cores=cores)
        try:
            screen, _ = process.communicate(timeout=1800)
        finally:
            end(process)
        return Finished(process.returncode, screen)

    def python(self, *arguments: str) -> Finished:
        """Run Python in this folder, as the Makefile does."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Finished(done.returncode, done.stdout + done.stderr)

    def build(self, *arguments: str, cores: int = 2) -> str:
        """Run Snakemake, which has to succeed; what it says."""
        code, screen = self.snakemake(*arguments, cores=cores)
        assert code == 0, f"code {code}: {screen}"
        return screen

    def plan(self, *targets: str, cores: int = 2) -> set[Job]:
        """The jobs that a dry run lists."""
        # `--quiet` without what the profile hides: the reasons help when a test fails.
        screen = self.build("--dry-run", "--quiet", "host", "--", *targets, cores=cores)
        jobs = [job for line in screen.splitlines() if (job := _job_of(line))]
        assert Counter(rule for rule, _ in jobs) == _counts(screen), screen
        assert len(set(jobs)) == len(jobs), screen
        return set(jobs)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that a file has to hold exactly once."""
        text = self.path(name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        self.path(name).write_text(text.replace(old, new), encoding="utf-8")

    def change_study(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Read the study, change it and write it again."""
        study = self.study()
        change(study)
        self.path("study.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")

    def study(self) -> dict[str, Any]:
        """The study as it was written."""
        return yaml.safe_load(self.path("study.yaml").read_text(encoding="utf-8"))


def _job_of(line: str) -> Job | None:
    """The job that a line of a dry run announces."""
    message = re.fullmatch(r"Job \d+: (?P<text>.*)", line)
    if message is None:
        return None
    for rule, pattern in MESSAGES.items():
        found = re.fullmatch(pattern, message["text"])
        if found:
            replicate = found.groupdict().get("replicate") or "seed42"
            return rule, found["what"] if replicate == "seed42" else f"{replicate}/{found['what']}"
    return None


def _counts(screen: str) -> Counter[str]:
    """Snakemake's table of job counts, without the targets that run nothing."""
    rows = re.findall(r"^(\w+) +(\d+)$", screen.partition("Job stats:")[2].partition("\n\n")[0], flags=re.MULTILINE)
    return Counter({rule: int(count) for rule, count in rows if rule in MESSAGES})


def processes_below(parent: int, script: str) -> list[psutil.Process]:
    """The processes that a call of Snakemake started to run a script."""
    try:
        children = psutil.Process(parent).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if f"workflow_scripts.{script}" in _command_line(child)]


def end(process: subprocess.Popen[str]) -> None:
    """Leave no process behind, whatever became of the test."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()


def _command_line(process: psutil.Process) -> Iterable[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
