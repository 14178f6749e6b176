import shutil
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from heads import head_with, kind_with, load_classifier, logits, logits_of

from constrictor.compression.export.export import export
from constrictor.compression.export.onnx import _refuse_other_opset, export_onnx
from constrictor.compression.export.parity import compare_outputs, refuse_difference
from constrictor.compression.quantization.onnx_int8 import to_int8
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import read_manifest
from constrictor.models.onnx_file import load_onnx, save_onnx
from constrictor.runtimes.load import load
from constrictor.runtimes.onnx import open_session, run_session
from constrictor.runtimes.torch import forward
from constrictor.study.steps.export import Export


@pytest.mark.parametrize("shape", [(1, 2), (1, 32), (3, 7), (17, 19)])
def test_exported_model_has_the_same_outputs_at_any_shape(tiny_onnx, tiny_teacher, shape):
    generator = np.random.default_rng(0)
    mask = (np.arange(shape[1]) < generator.integers(1, shape[1] + 1, (shape[0], 1))).astype(np.int64)
    batch = {"input_ids": generator.integers(4, 30, shape), "attention_mask": mask}
    expected = logits(forward(load_classifier(tiny_teacher, ["bad", "good"], 32), batch, head_with()))
    found = logits(run_session(open_session(tiny_onnx / "model.onnx"), batch))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_manifest_names_parity_and_format(tiny_onnx):
    manifest = read_manifest(tiny_onnx)
    assert (manifest.format, manifest.precision) == ("onnx", "fp32")
    assert manifest.details["parity"]["max_difference"] < 1e-4
    assert manifest.details["parity"]["equal_predictions"] == 1.0
    assert manifest.details["parity"]["inputs"] == 24
    assert set(manifest.files) >= {"model.onnx", "tokenizer.json"}


def test_export_is_repeatable_and_names_no_path_of_this_machine(tiny_onnx, tiny_teacher, tiny_task, tmp_path):
    export(Export(stage="export"), tiny_teacher, tiny_task / "validation.parquet", tmp_path / "model", "onnx")
    assert (tmp_path / "model" / "manifest.json").read_bytes() == (tiny_onnx / "manifest.json").read_bytes()
    model = onnx.load(tmp_path / "model" / "model.onnx")
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [20]
    assert b"site-packages" not in model.SerializeToString()


def test_a_model_with_other_outputs_is_refused_and_nothing_is_left(
    tiny_onnx, tiny_teacher, tiny_task, tmp_path, monkeypatch
):
    def copy(model, file, opset, max_length, shape, typed):
        shutil.copyfile(tiny_onnx / "model.onnx", file)

    monkeypatch.setattr("constrictor.compression.export.from_torch.export_onnx", copy)
    with pytest.raises(ConstrictorError, match=r"model\.onnx differs from its parent.*24 inputs"):
        export(
            Export(stage="export", tolerance=1e-12),
            tiny_teacher,
            tiny_task / "validation.parquet",
            tmp_path / "model",
            "onnx",
        )
    assert list(tmp_path.iterdir()) == []


def test_differences_by_hand():
    found = _compared([[1.0, 2.0], [3.0, 0.0]], [[1.5, 2.0], [-1.0, 0.0]])
    assert found.pop("spread") == pytest.approx(np.std([1.0, 2.0, 3.0, 0.0]))
    assert found.pop("scale") == pytest.approx(np.std([1.0, 2.0, 3.0, 0.0]) + 0.03)
    assert found == {"inputs": 2, "max_difference": 4.0, "mean_difference": 1.125, "equal_predictions": 0.5}


def _compared(reference: list, candidate: list) -> dict:
    context = SimpleNamespace(kind=kind_with(), features=None, inputs=["a film"] * len(reference))
    return compare_outputs({"logits": np.array(reference)}, {"logits": np.array(candidate)}, context)


@pytest.mark.parametrize(
    ("outputs", "within", "beyond"),
    [([[310_000.0], [460_000.0]], 50, 200), ([[0.010], [0.012]], 5e-7, 1e-5), ([[5.0], [5.0]], 4e-5, 1e-4)],
    ids=["prices", "shares", "all the same"],
)
def test_a_difference_is_large_or_small_on_the_scale_of_the_outputs(tmp_path, outputs, within, beyond):
    reference = np.array(outputs)
    refuse_difference(_compared(reference, reference + within), 1e-3, tmp_path / "model.onnx")
    with pytest.raises(ConstrictorError, match=r"where .* is allowed, a share of 0\.001 of how far outputs differ"):
        refuse_difference(_compared(reference, reference + beyond), 1e-3, tmp_path / "model.onnx")


def test_not_a_number_is_a_difference(tmp_path):
    found = _compared([[1.0, 2.0]], [[np.nan, 2.0]])
    with pytest.raises(ConstrictorError):
        refuse_difference(found, 1e-3, tmp_path / "model.onnx")


def test_a_file_that_is_no_onnx_model_is_named(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ConstrictorError, match=r"model\.onnx cannot be opened"):
        open_session(tmp_path / "model.onnx")


def test_torch_model_is_not_in_training_mode_when_it_predicts(tiny_teacher):
    model = load_classifier(tiny_teacher, ["bad", "good"], 32).train()
    batch = {"input_ids": np.full((2, 5), 6), "attention_mask": np.ones((2, 5), np.int64)}
    assert np.array_equal(*(logits(forward(model, batch, head_with())) for _ in range(2)))
    assert model.training
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("opset", [18, 23])
def test_both_ends_of_the_operator_sets_work(tiny_teacher, tiny_task, tmp_path, opset):
    manifest = export(
        Export(stage="export", opset=opset), tiny_teacher, tiny_task / "validation.parquet", tmp_path / "model", "onnx"
    )
    assert manifest.details["parity"]["max_difference"] < 1e-4
    model = onnx.load(tmp_path / "model" / "model.onnx")
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [opset]


def test_another_operator_set_than_requested_is_refused(tiny_onnx):
    with pytest.raises(ConstrictorError, match=r"cannot write this model with opset 17\. Set 'opset: 20'"):
        _refuse_other_opset(onnx.load(tiny_onnx / "model.onnx"), 17)


def test_model_that_the_exporter_cannot_write_is_a_message(tmp_path):
    class Odd(torch.nn.Module):
        outputs = {"logits": "logits"}

        def forward(self, input_ids, attention_mask):
            return input_ids if attention_mask.sum() > 3 else attention_mask

    with pytest.raises(ConstrictorError, match="cannot be written as ONNX with opset 20"):
        export_onnx(Odd(), tmp_path / "model.onnx", 20, 32)
    assert list(tmp_path.iterdir()) == []


def test_fixed_shape_runs_batches_of_any_size_and_truncates_longer_inputs(tiny_teacher, tiny_task, tmp_path):
    manifest = export(
        Export(stage="export", shape=(4, 8)), tiny_teacher, tiny_task / "validation.parquet", tmp_path / "model", "onnx"
    )
    assert manifest.trained_for().max_length == 8
    assert manifest.details["parity"]["max_difference"] < 1e-4
    graph = onnx.load(tmp_path / "model" / "model.onnx").graph
    assert [[side.dim_value for side in entry.type.tensor_type.shape.dim] for entry in graph.input] == [[4, 8]] * 2
    texts = [
        "a film",
        "the film was great",
        "the plot was awful",
        "the story was lovely from start to finish",
        "indeed",
    ]
    encoded = [
        [*ids[:7].tolist(), ids[-1]] if len(ids) > 8 else ids for ids in load(tiny_teacher).tokenizer.encode(texts)
    ]
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    expected = [
        logits(
            forward(model, {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), int)}, head_with())
        )
        for ids in encoded
    ]
    np.testing.assert_allclose(logits_of(load(tmp_path / "model"), texts), np.concatenate(expected), atol=1e-4)


def test_fixed_length_above_the_tasks_is_refused(tiny_teacher, tiny_task, tmp_path):
    with pytest.raises(ConstrictorError, match=r"no input of the task has more than 32. Set 'shape: \[2, 32\]'"):
        export(
            Export(stage="export", shape=(2, 64)),
            tiny_teacher,
            tiny_task / "validation.parquet",
            tmp_path / "model",
            "onnx",
        )
    assert list(tmp_path.iterdir()) == []


def test_tensors_of_a_large_model_lie_beside_it_and_are_found(tiny_onnx, tmp_path, monkeypatch):
    monkeypatch.setattr("constrictor.models.onnx_file.LARGEST_MESSAGE", 10_000)
    file = tmp_path / "large" / "model.onnx"
    file.parent.mkdir()
    save_onnx(onnx.load(tiny_onnx / "model.onnx"), file)
    assert {path.name for path in file.parent.iterdir()} == {"model.onnx", "model.onnx.data"}
    assert file.stat().st_size < (tiny_onnx / "model.onnx").stat().st_size / 2
    batch = {"input_ids": np.full((2, 5), 6), "attention_mask": np.ones((2, 5), np.int64)}
    expected = logits(run_session(open_session(tiny_onnx / "model.onnx"), batch))
    assert np.array_equal(logits(run_session(open_session(file), batch)), expected)
    for source, name in ((file, "large.onnx"), (tiny_onnx / "model.onnx", "small.onnx")):
        model = to_int8(load_onnx(source), per_channel=True, tables=True, scratch=tmp_path)
        onnx.save(model, tmp_path / name)
    assert np.array_equal(
        logits(run_session(open_session(tmp_path / "large.onnx"), batch)),
        logits(run_session(open_session(tmp_path / "small.onnx"), batch)),
    )
