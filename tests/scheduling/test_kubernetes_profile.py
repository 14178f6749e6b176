"""The scripts of the Kubernetes profile, with a stand-in for kubectl: what it is called with, and what its answers mean."""

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

PROFILE = Path(__file__).parents[2] / "profiles/kubernetes"


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Puts a kubectl on the path that records its arguments and its input, and answers with a text and a code."""

    def install(answer: str, code: int = 0) -> None:
        file = tmp_path / "bin/kubectl"
        file.parent.mkdir(exist_ok=True)
        keep = f'echo "$@" > {tmp_path}/arguments; cat > {tmp_path}/input'
        file.write_text(f"#!/bin/sh\n{keep}\nprintf '%s' '{answer}'\nexit {code}\n", encoding="utf-8")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    return install


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROFILE / script, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_a_job_requests_what_snakemake_reports(kubectl, tmp_path):
    kubectl("job.batch/constrictor-x7k2p\n")
    done = run("submit.py", "8", "2659", "21", "1", "/shared/repo/.snakemake/tmp/job 1.sh")
    assert (done.returncode, done.stdout) == (0, "constrictor-x7k2p\n")
    job = yaml.safe_load((tmp_path / "input").read_text(encoding="utf-8"))
    assert job["spec"]["activeDeadlineSeconds"] == 21 * 60
    assert job["spec"]["backoffLimit"] == 0
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["sh", "/shared/repo/.snakemake/tmp/job 1.sh"]
    assert container["workingDir"] == str(Path.cwd())
    assert container["resources"] == {
        "requests": {"cpu": "8", "memory": "2659M"},
        "limits": {"memory": "2659M", "nvidia.com/gpu": "1"},
    }
    (volume,) = job["spec"]["template"]["spec"]["volumes"]
    assert container["volumeMounts"][0]["name"] == volume["name"]


def test_a_job_that_cannot_be_created_fails(kubectl):
    kubectl("", 1)
    assert run("submit.py", "1", "1000", "15", "0", "job.sh").returncode == 1


@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [
        ("constrictor-x7k2p ", 0, "running"),
        ("constrictor-x7k2p SuccessCriteriaMet Complete", 0, "success"),
        ("constrictor-x7k2p FailureTarget Failed", 0, "failed"),
        ("", 0, "failed"),  # deleted
        ("", 1, "running"),  # the cluster does not answer
    ],
)
def test_the_status_of_a_job(kubectl, answer, code, status):
    kubectl(answer, code)
    assert run("status.sh", "constrictor-x7k2p").stdout.strip() == status


def test_jobs_are_deleted_by_their_names(kubectl, tmp_path):
    kubectl("")
    assert run("cancel.sh", "constrictor-a", "constrictor-b").returncode == 0
    assert (tmp_path / "arguments").read_text(encoding="utf-8").split()[-2:] == ["constrictor-a", "constrictor-b"]


def test_the_profile_names_scripts_that_can_be_run():
    profile = yaml.safe_load((PROFILE / "config.yaml").read_text(encoding="utf-8"))
    for name in ("submit", "status", "cancel"):
        script = Path(__file__).parents[2] / profile[f"cluster-generic-{name}-cmd"].split()[0]
        assert os.access(script, os.X_OK)
