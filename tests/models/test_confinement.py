"""What a confined process cannot do any more."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, os, resource, signal, socket, sys, threading
from constrictor.models.confinement import Limits, confine
file = open(sys.argv[1], "wb")
isolated = confine(Limits(memory=64 * 2**20, seconds=2, written=1000))
failed = {}
def attempt(name, action):
    try:
        action()
    except (OSError, MemoryError, ValueError) as error:
        failed[name] = type(error).__name__
def write():
    file.write(bytes(5000))
    file.flush()
attempt("read", lambda: open("/etc/passwd"))
attempt("create", lambda: open(sys.argv[1] + ".new", "w"))
attempt("connect", lambda: socket.socket())
attempt("allocate", lambda: bytearray(128 * 2**20))
attempt("write much", write)
if isolated or os.getuid() != 0:
    attempt("raise the limit", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
else:
    failed["raise the limit"] = "as root without namespaces it can"
bytearray(2**20)
print(json.dumps(failed), flush=True)
while True:
    pass
"""


def test_confined_process_uses_what_it_has_and_gets_nothing_else(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "file")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout, done.stderr
    assert set(json.loads(done.stdout)) == {"read", "create", "connect", "allocate", "write much", "raise the limit"}
    assert done.returncode < 0  # the kernel ended its loop
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").stat().st_size <= 1000


def test_ordinary_user_is_confined_too(tmp_path) -> None:
    """What the limits do without namespaces and without root."""
    if subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "true"], check=False).returncode:
        pytest.skip("needs root, to be somebody else")
    program = PROGRAM.replace(
        "isolated = confine", "import ctypes; ctypes.CDLL = lambda name: NoNamespaces; isolated = confine"
    )
    program = "class NoNamespaces:\n    unshare = staticmethod(lambda flags: -1)\n" + program
    tmp_path.chmod(0o777)
    tmp_path.parent.chmod(0o755)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", program, "/dev/null"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout, done.stderr
    assert set(json.loads(done.stdout)) >= {"read", "create", "connect", "allocate", "raise the limit"}
