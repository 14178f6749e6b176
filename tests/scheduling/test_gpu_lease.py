import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from constrictor.scheduling.gpu_lease import lease_gpu, visible_gpus

# Prints the GPU and the times between which the process had it.
HOLD = """
import os, sys, time
from constrictor.scheduling.gpu_lease import lease_gpu
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        name = lease_gpu()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == name
        start = time.monotonic_ns()
        time.sleep(0.005)
        sys.stdout.write(f"{name} {start} {time.monotonic_ns()}\\n")
        sys.stdout.flush()
        os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""
KEEP = "from constrictor.scheduling.gpu_lease import lease_gpu; import time; print(lease_gpu(), flush=True); time.sleep(600)"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Two GPUs that are not there, in a temporary folder where nobody leases any, and no queue."""
    rest = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
    return {**rest, "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1"}


def test_two_hundred_processes_share_two_gpus_and_never_one(environment):
    done = subprocess.run(
        [sys.executable, "-c", HOLD, "200"], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    held: dict[str, list[tuple[int, int]]] = {}
    for line in done.stdout.splitlines():
        name, start, end = line.split()
        held.setdefault(name, []).append((int(start), int(end)))
    assert set(held) == {"0", "1"}
    assert sum(map(len, held.values())) == 200, done.stderr
    for intervals in held.values():
        intervals.sort()
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(intervals))  # one at a time


def test_a_killed_holder_gives_its_gpu_back(environment):
    def keeper() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", KEEP], env=environment, stdout=subprocess.PIPE, text=True)

    keepers = [keeper() for _ in range(2)]
    try:
        names = [process.stdout.readline().strip() for process in keepers]
        assert sorted(names) == ["0", "1"]
        keepers[0].send_signal(signal.SIGKILL)
        keepers.append(keeper())  # both were taken, so this one gets what the dead one had
        assert keepers[2].stdout.readline().strip() == names[0]
    finally:
        for process in keepers:
            process.kill()
            process.communicate()


def test_nothing_is_leased_where_a_queue_gave_the_gpus_or_there_are_none(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert lease_gpu() is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    monkeypatch.delenv("SLURM_JOB_ID")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert lease_gpu() is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("variable", "ids"),
    [
        ("0,1", ["0", "1"]),
        (" 2 , 3", ["2", "3"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1,-1,0", ["1"]),
        ("GPU-8932f937,MIG-1/0/0", ["GPU-8932f937", "MIG-1/0/0"]),
    ],
)
def test_the_variable_limits_the_gpus(variable, ids):
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": variable}) == ids


def test_without_the_variable_the_drivers_files_are_counted(tmp_path):
    for name in ("nvidia0", "nvidia3", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert visible_gpus({}, tmp_path) == ["0", "1"]
    assert visible_gpus({}, tmp_path / "nothing") == []
