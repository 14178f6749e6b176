"""SLURM on this machine, from Debian's packages and without systemd: one node with two GPUs that are not there.

- The configuration has to be /etc/slurm/slurm.conf: the executor takes SLURM_CONF out of its jobs' environment.
- A GPU is a device file of the kind of /dev/null. That is enough for SLURM to hand it out and to set CUDA_VISIBLE_DEVICES.
- Memory is watched by SLURM itself (OverMemoryKill), since a container seldom lets it have cgroups.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

ETC = Path("/etc/slurm")
MUNGE_SOCKET = Path("/run/munge/munge.socket.2")
GPUS = 2
_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
GresTypes=gpu
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ReturnToService=2
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MinJobAge=600
KillWait=3
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:fake:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=1440 State=UP
PartitionName=gpu Nodes={host} MaxTime=1440 State=UP
"""


def why_not() -> str | None:
    """Why a cluster cannot be started here; None if it can."""
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch", "scontrol") if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: apt-get install slurmctld slurmd slurm-client munge)"
    if os.geteuid() != 0:
        return "only root can start SLURM's daemons"
    if (ETC / "slurm.conf").exists():
        return f"{ETC}/slurm.conf exists: this machine has a SLURM of its own"
    if MUNGE_SOCKET.exists():
        return "munged is running already"
    return None


class Cluster:
    """A running cluster; leave no trace of it with :meth:`stop`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._host = socket.gethostname().partition(".")[0]

    def start(self) -> None:
        """Configure and start the daemons, and wait until the node is idle."""
        self._configure()
        key = self._folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        MUNGE_SOCKET.parent.mkdir(parents=True, exist_ok=True)
        MUNGE_SOCKET.parent.chmod(0o755)
        files = {"key-file": key, "socket": MUNGE_SOCKET, "pid-file": self._folder / "munged.pid"}
        files |= {"log-file": self._folder / "munged.log", "seed-file": self._folder / "munged.seed"}
        run("munged", "--force", *(f"--{name}={file}" for name, file in files.items()))
        run("slurmctld", "-c")  # -c: without the memory of an earlier cluster
        run("slurmd", "-c")
        wait_for(lambda: run("sinfo", "--noheader", "--format=%t", check=False).split()[:1] == ["idle"], 60)

    def stop(self) -> None:
        """Cancel the jobs, end the daemons and remove the configuration."""
        run("scancel", "--state=RUNNING", check=False)
        run("scancel", "--state=PENDING", check=False)
        for name in ("slurmd", "slurmctld", "munged"):
            file = self._folder / f"{name}.pid"
            if file.exists():
                process = int(file.read_text(encoding="utf-8"))
                run("kill", str(process), check=False)
                wait_for(lambda process=process: not Path(f"/proc/{process}").exists(), 30)
        # Every start of Snakemake would wait for the daemons that a configuration left behind speaks of.
        for name in ("slurm.conf", "gres.conf"):
            (ETC / name).unlink(missing_ok=True)

    def jobs(self) -> list[dict[str, str]]:
        """What the controller knows of every job, ended ones too, in the order of their submission."""
        lines = run("scontrol", "--oneliner", "show", "job", check=False).splitlines()
        return [dict(pair.split("=", 1) for pair in line.split() if "=" in pair) for line in lines if "JobId=" in line]

    def _configure(self) -> None:
        for name in ("spool", "state"):
            (self._folder / name).mkdir(parents=True)
        devices = [self._folder / f"gpu{number}" for number in range(GPUS)]
        for device in devices:
            os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 * 9 // 10
        values = {"host": self._host, "folder": self._folder, "cpus": os.cpu_count(), "memory": memory, "gpus": GPUS}
        ETC.mkdir(exist_ok=True)
        lines = [f"NodeName={self._host} Name=gpu Type=fake File={device}\n" for device in devices]
        (ETC / "gres.conf").write_text("".join(lines), encoding="utf-8")
        (ETC / "slurm.conf").write_text(_CONFIGURATION.format(**values), encoding="utf-8")


def run(*command: str, check: bool = True) -> str:
    """Run a command; what it writes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SNAKEMAKE"))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert not check or done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def wait_for(what: Callable[[], object], seconds: float) -> None:
    """Wait until something is there."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"waited for {seconds} seconds"
        time.sleep(0.1)
