import shutil
import subprocess
import sys

import numpy as np
import pytest
from heads import logits_of

from constrictor.compression.export.export import export
from constrictor.compression.quantization.onnx_int8 import to_int8
from constrictor.errors import ConstrictorError
from constrictor.models.artifact import seal
from constrictor.models.manifest import read_manifest
from constrictor.models.onnx_file import load_onnx, save_onnx
from constrictor.runtimes.load import load
from constrictor.runtimes.onnx import run_session
from constrictor.study.steps.export import Export

ORT = Export(stage="export", format="ort")
TEXTS = ["the film was great", "the plot was awful from start to finish", "indeed"]


@pytest.fixture(scope="module")
def tiny_int8(tiny_onnx, tmp_path_factory):
    """The tiny ONNX model in int8: an artifact's folder."""
    folder = shutil.copytree(tiny_onnx, tmp_path_factory.mktemp("int8") / "model")
    model = to_int8(load_onnx(tiny_onnx / "model.onnx"), per_channel=True, tables=True, scratch=folder)
    save_onnx(model, folder / "model.onnx")
    seal(folder, read_manifest(tiny_onnx).model_copy(update={"precision": "int8"}))
    return folder


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_ort_file_has_the_outputs_of_its_parent(precision, tiny_onnx, tiny_int8, tiny_task, tmp_path):
    parent = tiny_onnx if precision == "fp32" else tiny_int8
    manifest = export(ORT, parent, tiny_task / "validation.parquet", tmp_path / "model", "phone")
    assert (manifest.format, manifest.precision) == ("ort", precision)
    assert manifest.details["parity"]["max_difference"] < 1e-5
    assert set(manifest.files) == {"model.ort", "tokenizer.json"}
    assert (tmp_path / "model" / "model.ort").read_bytes()[4:8] == b"ORTM"
    np.testing.assert_allclose(logits_of(load(tmp_path / "model"), TEXTS), logits_of(load(parent), TEXTS), atol=1e-5)


def test_ort_is_served_without_torch(tiny_onnx, tiny_task, tmp_path):
    export(ORT, tiny_onnx, tiny_task / "validation.parquet", tmp_path / "model", "phone")
    program = f"""
import sys
from pathlib import Path
from constrictor.runtimes.load import load
assert load(Path({str(tmp_path / "model")!r}), threads=1).manifest.format == "ort"
assert not {{"torch", "transformers", "onnx"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_damaged_parent_is_refused_and_nothing_is_left(tiny_onnx, tiny_task, tmp_path):
    parent = shutil.copytree(tiny_onnx, tmp_path / "parent")
    (parent / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ConstrictorError, match=r"model\.onnx is not what was written"):
        export(ORT, parent, tiny_task / "validation.parquet", tmp_path / "model", "phone")
    seal(parent, read_manifest(tiny_onnx))  # as if it had been written like that
    with pytest.raises(ConstrictorError, match=r"model\.onnx cannot be opened by ONNX Runtime"):
        export(ORT, parent, tiny_task / "validation.parquet", tmp_path / "model", "phone")
    assert [path.name for path in tmp_path.iterdir()] == ["parent"]


def test_difference_from_the_parent_is_refused(tiny_onnx, tiny_task, tmp_path, monkeypatch):
    def changed(session, batch, **options):
        return {name: values + 0.01 for name, values in run_session(session, batch, **options).items()}

    monkeypatch.setattr("constrictor.compression.export.ort.run_session", changed)
    with pytest.raises(ConstrictorError, match=r"model\.ort differs from its parent: an output by 1\.00e-02"):
        export(ORT, tiny_onnx, tiny_task / "validation.parquet", tmp_path / "model", "phone")
    assert list(tmp_path.iterdir()) == []
