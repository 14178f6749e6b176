import shutil
from pathlib import Path

import pytest

from constrictor.errors import ConstrictorError
from constrictor.models.manifest import MANIFEST, Manifest, hash_files, read_manifest
from constrictor.study.steps.quantize import Dynamic


@pytest.fixture
def artifact(tiny_teacher: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_teacher, tmp_path / "model"))


def test_whole_artifact_is_accepted_and_records_its_size(artifact):
    manifest = read_manifest(artifact)
    assert manifest.bytes == sum(file.stat().st_size for file in artifact.iterdir() if file.name != MANIFEST)
    assert set(manifest.files) == {file.name for file in artifact.iterdir()} - {MANIFEST}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
@pytest.mark.parametrize("harm", ["edit", "truncate", "grow", "remove"])
def test_harmed_file_is_named_with_the_way_out(artifact, name, harm):
    file, content = artifact / name, (artifact / name).read_bytes()
    if harm == "remove":
        file.unlink()
    else:
        middle = len(content) // 2
        edited = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        file.write_bytes({"edit": edited, "truncate": content[:-1], "grow": content + b" "}[harm])
    with pytest.raises(ConstrictorError, match=rf"{name}.*Delete it and run snakemake again: rm -r {artifact}"):
        read_manifest(artifact)


@pytest.mark.parametrize(
    "content", ["", "{", "{}", "[]", '{"format": "torch", "precision": "fp32", "parameters": "x"}']
)
def test_damaged_manifest_is_named(artifact, content):
    (artifact / MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(ConstrictorError, match=r"manifest\.json is damaged"):
        read_manifest(artifact)


def test_folder_without_a_manifest_is_no_model(tmp_path):
    with pytest.raises(ConstrictorError, match=r"is no finished model: it has no manifest\.json"):
        read_manifest(tmp_path)


def test_child_inherits_what_its_step_does_not_change(artifact):
    parent = read_manifest(artifact)
    child = parent.descend("int8", Dynamic(stage="quantize", method="dynamic"), precision="int8")
    assert [record.step for record in child.lineage] == ["teacher", "int8"]
    assert child.lineage[-1].settings == {
        "stage": "quantize",
        "method": "dynamic",
        "per_channel": True,
        "embeddings": True,
    }
    assert (child.task, child.parameters, child.precision) == (parent.task, parent.parameters, "int8")
    assert (child.files, child.details) == ({}, {})
    assert parent.precision == "fp32"


def test_sparsity_is_the_share_of_zeros():
    assert Manifest(format="torch", precision="fp32", parameters=10, nonzero_parameters=7).sparsity == pytest.approx(
        0.3
    )


def test_files_in_folders_are_hashed_in_a_fixed_order(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("z", "b/a", "a"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert list(hash_files(tmp_path)) == ["a", "b/a", "z"]
