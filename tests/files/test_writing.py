import errno
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from heads import task_in
from safetensors.torch import save_file

from constrictor.compression.quantization.quantize import quantize
from constrictor.data.examples import unlabelled, write_examples
from constrictor.data.outputs import Outputs, write_outputs
from constrictor.errors import ConstrictorError
from constrictor.files.writing import atomic_file, named_disk_errors, refuse_file_for, write_json, write_text
from constrictor.models.artifact import artifact_folder, seal
from constrictor.models.manifest import Manifest, read_manifest
from constrictor.study.steps.quantize import Dynamic
from constrictor.training.node import Node

MANIFEST = Manifest(format="torch", precision="fp32", parameters=1, nonzero_parameters=1)


def _artifact(target: Path, content: str, error: type[BaseException] | None = None) -> None:
    with artifact_folder(target) as staging:
        (staging / "file").write_text(content, encoding="utf-8")
        if error is not None:
            raise error
        seal(staging, MANIFEST)


def _file(target: Path, content: str, error: type[BaseException]) -> None:
    with atomic_file(target) as staging:
        staging.write_text(content, encoding="utf-8")
        raise error


def test_artifact_appears_whole(tmp_path):
    with artifact_folder(tmp_path / "deep" / "model") as staging:
        (staging / "file").write_text("x", encoding="utf-8")
        seal(staging, MANIFEST)
        assert not (tmp_path / "deep" / "model").exists()
    assert read_manifest(tmp_path / "deep" / "model").files["file"].bytes == 1
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model"]


def test_all_files_follow_the_umask(tmp_path):
    """safetensors writes files that only their owner may read."""
    before = os.umask(0o002)
    try:
        with artifact_folder(tmp_path / "model") as staging:
            save_file({"weight": torch.zeros(2)}, staging / "model.safetensors")
            (staging / "model.safetensors").chmod(0o600)
            seal(staging, MANIFEST)
    finally:
        os.umask(before)
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in (tmp_path / "model").iterdir()}
    assert modes == dict.fromkeys(["model.safetensors", "manifest.json"], "0o664")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, ConstrictorError])
def test_exception_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        _artifact(tmp_path / "model", "x", error)
    assert list(tmp_path.iterdir()) == []


def test_exception_keeps_the_old_artifact(tmp_path):
    _artifact(tmp_path / "model", "old")
    with pytest.raises(KeyboardInterrupt):
        _artifact(tmp_path / "model", "new", KeyboardInterrupt)
    assert read_manifest(tmp_path / "model").files["file"].bytes == 3
    assert (tmp_path / "model" / "file").read_text(encoding="utf-8") == "old"


def test_new_artifact_replaces_all_of_the_old_one(tmp_path):
    _artifact(tmp_path / "model", "old")
    (tmp_path / "model" / "stray").touch()
    _artifact(tmp_path / "model", "new")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"file", "manifest.json"}


def test_what_a_kill_left_is_cleared_away(tmp_path):
    (tmp_path / ".model.partial").mkdir()
    (tmp_path / ".model.partial" / "stray").touch()
    _artifact(tmp_path / "model", "new")
    assert set(read_manifest(tmp_path / "model").files) == {"file"}


def test_artifact_without_a_manifest_is_our_own_mistake(tmp_path):
    with pytest.raises(AssertionError, match="without a manifest"), artifact_folder(tmp_path / "model"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_file_is_written_whole_or_not_at_all(tmp_path):
    write_text(tmp_path / "a" / "file", "old")
    with pytest.raises(KeyboardInterrupt):
        _file(tmp_path / "a" / "file", "new", KeyboardInterrupt)
    assert (tmp_path / "a" / "file").read_text(encoding="utf-8") == "old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def _large_text(target: Path) -> None:
    write_text(target, "x" * 3_000_000)


def _large_examples(target: Path) -> None:
    texts = [os.urandom(500).hex() for _ in range(4000)]
    write_examples(target, unlabelled([str(number) for number in range(4000)], texts))


def _large_outputs(target: Path) -> None:
    logits = np.random.default_rng(0).normal(size=(400_000, 2)).astype(np.float32)
    write_outputs(target, Outputs(["a"] * 400_000, {"logits": logits}))


def _large_safetensors(target: Path) -> None:
    with artifact_folder(target) as staging:
        save_file({"a": torch.zeros(1_000_000)}, staging / "model.safetensors")
        seal(staging, MANIFEST)


def _large_onnx(target: Path) -> None:
    tensor = onnx.numpy_helper.from_array(np.ones(1_000_000, np.float32), "a")
    with artifact_folder(target) as staging:
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], [tensor])), staging / "model.onnx")
        seal(staging, MANIFEST)


def _large_checkpoint(target: Path) -> None:
    with named_disk_errors(target):
        try:
            torch.save({"a": torch.zeros(1_000_000)}, target)
        finally:
            target.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "write", [_large_text, _large_examples, _large_outputs, _large_safetensors, _large_onnx, _large_checkpoint]
)
def test_full_disk_is_named_and_nothing_half_written_stays(small_disk, write):
    disk = small_disk("1m")
    with pytest.raises(
        ConstrictorError, match=rf"the disk is full: {disk}/target could not be written.*Free some space"
    ):
        write(disk / "target")
    assert list(disk.iterdir()) == []


def test_full_disk_in_the_middle_of_a_stage_keeps_the_old_artifact(small_disk, tiny_teacher, tiny_task):
    disk = small_disk("400k")
    _artifact(disk / "model", "old")
    (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - 24_000))
    with pytest.raises(ConstrictorError, match="the disk is full"):
        quantize(
            Dynamic(stage="quantize", method="dynamic"), tiny_teacher, Node(disk, "int8", 1), task=task_in(tiny_task)
        )
    assert read_manifest(disk / "model").files["file"].bytes == 3
    assert {path.name for path in disk.iterdir()} == {"model", "ballast"}


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(code, "no more") for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
        *(
            RuntimeError(f"while writing: {sign}: 5")
            for sign in ("No space left", "File too large", "PytorchStreamWriter failed")
        ),  # libraries that tell it by words alone
    ],
    ids=str,
)
def test_full_disk_is_recognised_by_the_systems_code_or_a_librarys_message(tmp_path, error):
    with pytest.raises(ConstrictorError, match="the disk is full"), named_disk_errors(tmp_path / "target"):
        raise error


def test_folder_that_may_not_be_written_is_named(tmp_path):
    message = r"target may not be written: Permission denied\. Check who owns"
    with pytest.raises(ConstrictorError, match=message), named_disk_errors(tmp_path / "target"):
        raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ("study", "study/model may not be written"),
        ("study/.model.partial/config.json", "study/model may not be written"),
        ("checkpoint/config.json", r"checkpoint/config\.json may not be opened: Permission denied\. Check who owns it"),
    ],
)
def test_place_that_is_not_permitted_is_named(tmp_path, refused, message):
    with pytest.raises(ConstrictorError, match=message), named_disk_errors(tmp_path / "study/model"):
        raise PermissionError(13, "Permission denied", str(tmp_path / refused))


def test_other_errors_keep_their_traceback(tmp_path):
    with pytest.raises(FileNotFoundError), named_disk_errors(tmp_path):
        (tmp_path / "nowhere").read_text(encoding="utf-8")


def test_a_file_where_a_folder_is_needed_is_refused(tmp_path):
    (tmp_path / "results").write_text("", encoding="utf-8")
    with pytest.raises(ConstrictorError, match=r"results is a file, and a folder is needed there\. Move it"):
        refuse_file_for(tmp_path / "results" / "study")
    refuse_file_for(tmp_path / "reports" / "study")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_without_numbers_that_are_none(tmp_path, number):
    with pytest.raises(ValueError, match=r"record\.json is not written: .*not JSON compliant"):
        write_json(tmp_path / "record.json", {"loss": number})
    assert not list(tmp_path.iterdir())
