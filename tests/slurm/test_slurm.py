"""The small study through the profile `slurm`: who gets a GPU, and what becomes of jobs that are killed."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from cluster import Cluster, run, wait_for
from workbench import NODES, TEACHER, Workbench, end

pytestmark = pytest.mark.slurm

NODE = Path(TEACHER).parent.parent
ONNX = f"{NODES}/seed42/teacher/onnx/model/manifest.json"
# The profile's own settings, but for the times to wait, which are those of a busy cluster.
PROFILE = ("--workflow-profile", "profiles/slurm", "--latency-wait", "5")
POLL = ("--slurm-init-seconds-before-status-checks", "5")


def through_slurm(bench: Workbench, *arguments: str) -> subprocess.Popen[str]:
    return bench.start(*PROFILE, *POLL, *arguments)


def screen_of(process: subprocess.Popen[str], seconds: float = 400) -> str:
    """Wait for a call of Snakemake; what it said."""
    try:
        return process.communicate(timeout=seconds)[0]
    finally:
        end(process)


def jobs_of(cluster: Cluster, rule: str, since: int = 0) -> list[dict[str, str]]:
    """The rule's jobs; their comment names the rule."""
    jobs = [job for job in cluster.jobs() if int(job["JobId"]) > since]
    return [job for job in jobs if re.match(rf"rule_{rule}(_wildcards|$)", job.get("Comment", ""))]


def last_job(cluster: Cluster) -> int:
    return max((int(job["JobId"]) for job in cluster.jobs()), default=0)


def scripts(bench: Workbench) -> Iterator[tuple[str, psutil.Process, str | None]]:
    """Name, process and CUDA_VISIBLE_DEVICES of the scripts that run for a study, wherever the queue has started them."""
    for process in psutil.process_iter():
        try:
            line, environment = process.cmdline(), process.environ()
        except psutil.Error:
            continue
        ours = environment.get("PYTHONPATH") == str(bench.folder) and "SLURM_JOB_ID" in environment
        if ours and line[1:2] == ["-m"] and line[2].startswith("workflow_scripts."):
            yield line[2].partition(".")[2], process, environment.get("CUDA_VISIBLE_DEVICES")


@contextmanager
def gpus_seen(bench: Workbench) -> Iterator[dict[str, set[str | None]]]:
    """Collects what each script finds in CUDA_VISIBLE_DEVICES, while the block lasts."""
    seen: dict[str, set[str | None]] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            for name, _, gpus in scripts(bench):
                seen.setdefault(name, set()).add(gpus)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def memory_of(job: dict[str, str]) -> int:
    """Megabytes that a job has asked for."""
    found = re.search(r"mem=(\d+(?:\.\d+)?)([MG])", job.get("TRES") or job["ReqTRES"])
    assert found is not None, job
    return round(float(found[1]) * {"M": 1, "G": 1024}[found[2]])


def minutes_of(job: dict[str, str]) -> int:
    """Minutes that a job may take."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):\d+", job["TimeLimit"])
    assert found is not None, job
    return int(found[1] or 0) * 1440 + int(found[2]) * 60 + int(found[3])


def test_a_study_through_the_queue_with_a_timeout_and_too_little_memory(cluster: Cluster, bench: Workbench) -> None:
    bench.edit("study.yaml", "model: tiny, epochs: 1,", "model: tiny, epochs: 6,")
    # What an earlier and smaller study is said to have needed: the evaluation asks for too little at first.
    measured = bench.path(str(NODE / "logs/evaluate.tsv"))
    measured.parent.mkdir(parents=True)
    measured.write_text("s\th:m:s\tmax_rss\n9\t0:00:09\t100\n", encoding="utf-8")
    since = last_job(cluster)
    # A minute for the first attempt, ten more for the second.
    limits = ("--set-resources", "finetune:runtime=1 + 10 * (attempt - 1)", "--", ONNX, f"{NODE}/metrics.json")
    with gpus_seen(bench) as seen:
        process = through_slurm(bench, *limits)
        try:
            checkpoints = bench.path(str(NODE / "checkpoints"))
            wait_for(lambda: list(checkpoints.glob("checkpoint-*/complete")), 180)
            (training,) = (process for name, process, _ in scripts(bench) if name == "finetune")
            training.suspend()  # however fast the machine is: it will not be done when its time is over
        finally:
            screen = screen_of(process)
    assert process.returncode == 0, screen

    trainings = jobs_of(cluster, "finetune", since)
    assert [(job["JobState"], minutes_of(job)) for job in trainings] == [("TIMEOUT", 1), ("COMPLETED", 11)], screen
    log = bench.path(str(NODE / "logs/finetune.log")).read_text(encoding="utf-8")
    assert "resuming from checkpoint-" in log
    assert bench.path(TEACHER).is_file()

    evaluations = jobs_of(cluster, "evaluate", since)
    states, memory = [job["JobState"] for job in evaluations], [memory_of(job) for job in evaluations]
    assert len(states) > 1, (states, memory, screen)
    assert states[-1] == "COMPLETED"
    logs = bench.path("results/slurm_logs/rule_evaluate").rglob("*.log")
    assert sum("exceeded memory limit" in log.read_text("utf-8") for log in logs) == len(states) - 1, states
    assert memory == pytest.approx([430 * 1.5**attempt for attempt in range(len(memory))], rel=0.02)

    # A script that computes on a GPU has exactly one, and the others none; so say the queue and the processes alike.
    for rule in ("finetune", "evaluate"):
        assert seen[rule] <= {"0", "1"}, seen
        assert {(job["TresPerJob"], job["Partition"]) for job in jobs_of(cluster, rule, since)} == {
            ("gres:gpu:1", "gpu")
        }
    for rule in ("download_dataset", "export"):
        assert seen[rule] == {None}, seen
        assert {(job.get("TresPerJob"), job["Partition"]) for job in jobs_of(cluster, rule, since)} == {(None, "cpu")}


def test_failed_and_cancelled_jobs_are_reported_with_their_logs_and_the_next_run_goes_on(
    cluster: Cluster, bench: Workbench
) -> None:
    since, table = last_job(cluster), bench.path("inputs/animals.csv")
    good = table.read_bytes()
    table.write_text("text,wrong\na,b\n", encoding="utf-8")
    targets = [f"data/small_study/{name}/manifest.json" for name in ("models/tiny", "tasks/animals")]
    process = through_slurm(bench, "--retries", "0", "--", *targets)
    wait_for(lambda: jobs_of(cluster, "download_model", since), 60)
    run("scancel", jobs_of(cluster, "download_model", since)[0]["JobId"])
    screen = screen_of(process)
    assert process.returncode == 1
    assert "SLURM status is: 'CANCELLED'" in screen
    log = "data/small_study/logs/task_animals.log"
    assert log in screen
    message = next(line for line in bench.path(log).read_text("utf-8").splitlines() if line.startswith("Error: "))
    assert message in screen  # shown at once, so that nobody has to look for it
    assert re.search(r"slurm_logs/rule_download_dataset/\S+\.log", screen)

    table.write_bytes(good)
    process = through_slurm(bench, "--", *targets)
    screen = screen_of(process)
    assert process.returncode == 0, screen
    assert all(bench.path(target).is_file() for target in targets)
