import numpy as np
import onnx
import pytest
from heads import logits_of
from onnx import TensorProto, numpy_helper

from constrictor.compression.quantization.onnx_half import TOLERANCE
from constrictor.errors import ConstrictorError
from constrictor.models.manifest import read_manifest
from constrictor.runtimes.load import load


def test_weights_are_those_of_the_parent_rounded_to_fp16(tiny_onnx, quantized):
    manifest, folder = quantized(tiny_onnx, method="fp16")
    before = {tensor.name: tensor for tensor in onnx.load(tiny_onnx / "model.onnx").graph.initializer}
    model = onnx.load(folder / "model.onnx")
    compared = 0
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16 and tensor.name in before and tensor.dims:
            values = numpy_helper.to_array(before[tensor.name])
            ordinary = np.abs(values) < 65504  # the mask's -3e38 becomes the lowest number of fp16
            expected = np.clip(values, -65504, 65504).astype(np.float16)
            np.testing.assert_allclose(numpy_helper.to_array(tensor)[ordinary], expected[ordinary], rtol=0, atol=6e-8)
            compared += tensor.data_type == TensorProto.FLOAT16 and len(tensor.dims) == 2
    assert compared >= 4 * 6
    assert manifest.precision == "fp16"
    assert manifest.details["numbers"]["fp16"] > 0.95
    assert {output.type.tensor_type.elem_type for output in model.graph.output} == {TensorProto.FLOAT}


def test_logits_hardly_move_in_half_the_space(tiny_onnx, texts, quantized):
    manifest, folder = quantized(tiny_onnx, method="fp16")
    half, full = logits_of(load(folder), texts), logits_of(load(tiny_onnx), texts)
    assert half.dtype == np.float32
    assert np.abs(half - full).max() < 0.5 * TOLERANCE * full.std()
    stored = read_manifest(tiny_onnx).files["model.onnx"].bytes
    assert manifest.files["model.onnx"].bytes < 0.7 * stored


def test_a_model_that_fp16_cannot_hold_is_refused_and_nothing_is_written(edited, quantized, tmp_path):
    def enlarge_head(folder):
        model = onnx.load(folder / "model.onnx")
        head = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("classifier.weight"))
        head.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(head) * np.float32(1e7), head.name))
        onnx.save(model, folder / "model.onnx")

    parent = edited(enlarge_head)
    assert np.isfinite(logits_of(load(parent), ["a film"])).all()
    with pytest.raises(ConstrictorError, match=r"[Nn]othing was written"):
        quantized(parent, method="fp16")
    assert not (tmp_path / "small" / "model").exists()
