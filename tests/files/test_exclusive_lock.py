"""One process at a time in a folder."""

import os
import subprocess
import sys

import pytest

from constrictor.errors import ConstrictorError
from constrictor.files.exclusive_lock import exclusive_lock
from constrictor.models.artifact import artifact_folder

HOLD = (
    "import sys, time; from pathlib import Path; from constrictor.files.exclusive_lock import exclusive_lock\n"
    "with exclusive_lock(Path(sys.argv[1])): print(flush=True); time.sleep(600)"
)


def test_a_folder_is_one_processes_until_that_ends_however_it_ends(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        message = (
            rf"process {other.pid} is at work in {tmp_path}: .*end it \(kill {other.pid}\), and run the same command"
        )
        with pytest.raises(ConstrictorError, match=message), exclusive_lock(tmp_path):
            pass
    finally:
        other.kill()
        other.communicate()
    with exclusive_lock(tmp_path):
        pass


def test_a_folder_is_free_again_behind_the_block(tmp_path):
    for _ in range(2):
        with (
            exclusive_lock(tmp_path),
            pytest.raises(ConstrictorError, match=f"process {os.getpid()} is at work"),
            exclusive_lock(tmp_path),
        ):
            pass
    assert list(tmp_path.iterdir()) == []  # the lock is no file


def test_an_artifact_that_another_process_writes_is_left_alone(tmp_path):
    staging = tmp_path / ".model.partial"
    staging.mkdir()
    (staging / "weights").touch()
    with exclusive_lock(staging):
        with pytest.raises(ConstrictorError, match="is at work in"), artifact_folder(tmp_path / "model"):
            pass
        assert (staging / "weights").is_file()
