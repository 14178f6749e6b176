from pathlib import Path

import numpy as np
import pytest
from heads import load_classifier, logits_of, task_record
from transformers import MPNetConfig, MPNetForSequenceClassification

from constrictor.compression.export import optimize
from constrictor.compression.export.context import ExportContext
from constrictor.compression.export.export import export
from constrictor.compression.export.optimize import choose, export_fastest
from constrictor.compression.quantization.onnx_int8 import to_int8
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import Manifest
from constrictor.models.onnx_file import load_onnx
from constrictor.runtimes.load import load
from constrictor.study.steps.export import Export
from constrictor.tasks.kind import Features

OPTIMIZE = Export(stage="export", optimize=True)
FIRST, MERGED = "first token", "first token, merged projections"


@pytest.fixture(scope="module")
def merged(tiny_teacher, tiny_task, tmp_path_factory):
    """The tiny teacher with all rewrites, timed in int8, as if that were the fastest."""
    folder = tmp_path_factory.mktemp("merged") / "model"
    timed = {}

    def ratios(baseline, candidate):
        timed[len(timed)] = len(baseline), candidate[0].shape
        return 1.0 + 0.5 * len(timed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimize, "speed_ratio", ratios)
        patch.setattr(optimize, "ROUNDS", 2)
        settings = OPTIMIZE.model_copy(update={"optimize_for": "int8"})
        manifest = export(settings, tiny_teacher, tiny_task / "validation.parquet", folder, "onnx")
    assert timed == {number: (2, (2,)) for number in range(3)}  # two shapes, two rounds, three variants
    return folder, manifest


def test_the_fastest_exact_variant_is_kept_and_recorded(merged, tiny_teacher, tiny_task):
    folder, manifest = merged
    found = manifest.details["rewrites"]
    assert (found["kept"], found["timed_in"]) == (MERGED, "int8")
    assert [found["tried"][name]["speedup"] for name in (FIRST, MERGED)] == [2.0, 2.5]
    assert all(0 < found["tried"][name]["max_difference"] < 1e-5 for name in (FIRST, MERGED))
    assert manifest.details["parity"]["inputs"] == 24
    assert {file.name for file in folder.iterdir()} == {"model.onnx", "manifest.json", "tokenizer.json"}
    texts = ["the film was great", "the plot was awful from start to finish"]
    np.testing.assert_allclose(logits_of(load(folder), texts), logits_of(load(tiny_teacher), texts), atol=1e-5)


def test_merged_matrices_become_int8_per_channel(merged, tmp_path):
    folder, _ = merged
    model = to_int8(load_onnx(folder / "model.onnx"), per_channel=True, tables=True, scratch=tmp_path)
    products = [node for node in model.graph.node if node.op_type == "MatMulInteger"]
    scales = [list(tensor.dims) for tensor in model.graph.initializer if tensor.name.endswith("_scale")]
    assert len(products) == 3 * 4 + 5 + 2  # the last layer's query is a matrix of its own; pooler and classifier
    assert scales.count([96]) == 3  # query, key and value in one, a scale an output
    assert scales.count([64]) == 4 + 1  # the feed-forwards, and the last layer's key and value


@pytest.mark.parametrize(
    ("ratios", "kept"),
    [
        ({"none": 1.0, FIRST: 1.2, MERGED: 1.3}, MERGED),
        ({"none": 1.0, FIRST: 1.2, MERGED: 1.21}, FIRST),
        ({"none": 1.0, FIRST: 1.01, MERGED: 1.1}, MERGED),
        ({"none": 1.0, FIRST: 0.9, MERGED: 1.01}, "none"),
        ({"none": 1.0}, "none"),
    ],
)
def test_a_rewrite_stays_only_where_it_gains_something(ratios, kept):
    assert choose(ratios) == kept


def _context(staging: Path) -> ExportContext:
    """An export into a folder, of a model that is open already."""
    manifest = Manifest(format="torch", precision="fp32", task=task_record(), parameters=1, nonzero_parameters=1)
    context = ExportContext(OPTIMIZE, staging, manifest, ["a film"], staging)
    context.__dict__["features"] = Features([np.arange(5)], np.zeros(1, int), np.full(1, 5))
    return context


def _fake_export(monkeypatch, speeds):
    """Files hold the variant's number; the timing is given."""
    numbers = iter(range(3))
    monkeypatch.setattr(optimize, "export_onnx", lambda model, file, *rest, typed: file.write_text(str(next(numbers))))
    monkeypatch.setattr(optimize, "_speed_ratios", lambda files, *rest: {name: speeds[name] for name in files})


def test_a_rewrite_with_other_outputs_is_not_kept_however_fast(tiny_teacher, tmp_path, monkeypatch):
    _fake_export(monkeypatch, {"none": 1.0, FIRST: 1.5, MERGED: 9.0})
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)

    def parity(file):
        return {"max_difference": [1e-6, 1e-6, 0.1][int(file.read_text())], "scale": 1.0}

    details = export_fastest(model, _context(tmp_path), parity)
    assert details["rewrites"]["kept"] == FIRST
    assert details["rewrites"]["tried"][MERGED] == {"max_difference": 0.1, "speedup": None}
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_text() == "1"


def test_the_export_without_rewrites_must_be_exact(tiny_teacher, tmp_path, monkeypatch):
    _fake_export(monkeypatch, {})
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    worse = {"max_difference": 0.1, "mean_difference": 0.1, "equal_predictions": 1.0, "inputs": 1, "scale": 1.0}
    with pytest.raises(ConstrictorError, match=r"model\.onnx differs from its parent"):
        export_fastest(model, _context(tmp_path), lambda file: worse)
    assert list(tmp_path.iterdir()) == []


def test_unknown_family_is_exported_as_it_is_with_the_reason(tmp_path, monkeypatch):
    _fake_export(monkeypatch, {"none": 1.0})
    sizes = {
        "vocab_size": 9,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
    }
    model = MPNetForSequenceClassification(MPNetConfig(**sizes))
    details = export_fastest(model, _context(tmp_path), lambda file: {"max_difference": 0.0, "scale": 1.0})
    assert details["rewrites"]["kept"] == "none"
    assert details["rewrites"]["tried"] == {}
    assert "'mpnet' is not known" in details["rewrites"]["reason"]
    assert (tmp_path / "model.onnx").read_text() == "0"
