import builtins
import shutil
import sys

import numpy as np
import pytest
from heads import logits_of

from constrictor.compression.export.export import export
from constrictor.compression.export.openvino import refuse_shift
from constrictor.errors import ConstrictorError
from constrictor.models.artifact import seal
from constrictor.models.manifest import read_manifest
from constrictor.runtimes.load import load
from constrictor.runtimes.openvino import import_openvino, open_openvino, real_precision
from constrictor.study.steps.export import Export

TEXTS = ["the film was great", "the plot was awful from start to finish", "indeed"]
openvino = pytest.importorskip("openvino")


def _settings(precision):
    return Export(stage="export", format="openvino", precision=precision)


@pytest.fixture(scope="module")
def fp32(tiny_onnx, tiny_task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("openvino") / "model"
    return folder, export(_settings("fp32"), tiny_onnx, tiny_task / "validation.parquet", folder, "ov")


def test_float32_model_has_the_outputs_of_its_parent(fp32, tiny_onnx, tiny_task, tmp_path):
    folder, manifest = fp32
    assert (manifest.format, manifest.precision) == ("openvino", "fp32")
    assert manifest.details["parity"]["max_difference"] < 1e-5
    assert set(manifest.files) == {"model.xml", "model.bin", "tokenizer.json"}
    np.testing.assert_allclose(logits_of(load(folder), TEXTS), logits_of(load(tiny_onnx), TEXTS), atol=1e-5)
    assert export(_settings("fp32"), tiny_onnx, tiny_task / "validation.parquet", tmp_path / "again", "ov") == manifest


def test_manifest_names_the_precision_that_it_runs_in(fp32, tiny_onnx, tiny_task, tmp_path):
    manifest = export(_settings("bf16"), tiny_onnx, tiny_task / "validation.parquet", tmp_path / "model", "ov")
    has_bf16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert manifest.precision == ("bf16" if has_bf16 else "fp32")
    assert manifest.details["precision_asked"] == "bf16"
    assert (manifest.details["parity"]["mean_difference"] > 1e-4) == has_bf16
    rounded, exact = logits_of(load(tmp_path / "model"), TEXTS), logits_of(load(fp32[0]), TEXTS)
    assert (np.abs(rounded - exact).max() > 1e-4) == has_bf16


def test_processor_without_bf16_makes_a_float32_model_of_it(tiny_onnx, tiny_task, tmp_path, monkeypatch):
    monkeypatch.setattr("constrictor.compression.export.openvino.real_precision", lambda compiled: "fp32")
    settings = _settings("bf16").model_copy(update={"tolerance": 1.0})
    manifest = export(settings, tiny_onnx, tiny_task / "validation.parquet", tmp_path / "model", "ov")
    assert (manifest.precision, manifest.details["precision_asked"]) == ("fp32", "bf16")


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_precision_are_set_when_a_model_is_opened(fp32, threads):
    compiled = open_openvino(fp32[0] / "model.xml", "fp32", threads)
    assert real_precision(compiled) == "fp32"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == threads
    assert compiled.get_property("NUM_STREAMS") == 1


def test_another_precision_than_the_manifests_is_reported_on_standard_error(fp32, caplog, capsys, monkeypatch):
    monkeypatch.setattr("constrictor.runtimes.openvino.real_precision", lambda compiled: "bf16")
    load(fp32[0])
    assert "was exported for fp32; this processor runs it in bf16" in caplog.text
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("shift", [0.06, float("nan")])
def test_bf16_may_move_logits_by_a_share_of_their_spread(tmp_path, shift):
    parity = {"inputs": 9, "max_difference": 5.0, "equal_predictions": 0.9, "spread": 1.0}
    refuse_shift({**parity, "mean_difference": 0.04}, tmp_path / "model.xml")
    refuse_shift({**parity, "mean_difference": 0.06, "spread": 2.0}, tmp_path / "model.xml")
    with pytest.raises(ConstrictorError, match=r"model\.xml differs.*90\.0% equal.*Set 'precision: fp32'"):
        refuse_shift({**parity, "mean_difference": shift}, tmp_path / "model.xml")


def test_float32_must_be_exact(tiny_onnx, tiny_task, tmp_path):
    settings = _settings("fp32").model_copy(update={"tolerance": 1e-12})
    with pytest.raises(ConstrictorError, match=r"model\.xml differs from its parent"):
        export(settings, tiny_onnx, tiny_task / "validation.parquet", tmp_path / "model", "ov")
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_quantized_parents_are_refused(tiny_onnx, tiny_task, tmp_path):
    parent = shutil.copytree(tiny_onnx, tmp_path / "parent")
    seal(parent, read_manifest(tiny_onnx).model_copy(update={"precision": "int8"}))
    with pytest.raises(ConstrictorError, match="is int8, which OpenVINO runs slowly"):
        export(_settings("fp32"), parent, tiny_task / "validation.parquet", tmp_path / "model", "ov")
    (parent / "model.onnx").write_bytes(b"no model")
    seal(parent, read_manifest(tiny_onnx))
    with pytest.raises(ConstrictorError, match=r"model\.onnx cannot be read by OpenVINO"):
        export(_settings("fp32"), parent, tiny_task / "validation.parquet", tmp_path / "model", "ov")
    assert [path.name for path in tmp_path.iterdir()] == ["parent"]


def test_missing_package_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "openvino")
    found = builtins.__import__

    def missing(name, *further):
        if name == "openvino":
            raise ImportError("No module named 'openvino'")
        return found(name, *further)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConstrictorError, match=r"needs the package openvino.*envs/lock\.txt"):
        import_openvino()
