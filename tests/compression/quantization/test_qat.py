import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from heads import load_classifier, logits_of, plan_of, task_in, training_set
from onnx import TensorProto, helper
from safetensors.torch import load_file
from torch import nn

from constrictor.compression.quantization.qat import FakeInt8Linear, remove_simulation, simulate_int8
from constrictor.compression.quantization.quantize import quantize
from constrictor.evaluation.teacher_outputs import teacher_outputs
from constrictor.machine import has_int8_dot_product
from constrictor.models.architecture import encoder_linears
from constrictor.models.manifest import read_manifest
from constrictor.runtimes.load import load
from constrictor.study.steps.distil import SoftTargets
from constrictor.study.steps.quantize import Dynamic, QuantizationAware
from constrictor.training import callbacks, validation
from constrictor.training.node import Node


def _fake(inputs=32, outputs=8, bias=True) -> FakeInt8Linear:
    torch.manual_seed(2)
    layer = nn.Linear(inputs, outputs, bias=bias)
    layer.__class__ = FakeInt8Linear
    return layer


def _int8(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight rounded by torch's own quantizer, with a scale a row."""
    steps = torch.tensor([max(abs(value) for value in row) / 127 for row in weight.tolist()])
    zeros = torch.zeros(len(steps), dtype=torch.int32)
    restored = torch.fake_quantize_per_channel_affine(weight, steps, zeros, 0, -127, 127)
    return torch.round(restored / steps.view(-1, 1)).to(torch.int8), steps


def _by_onnxruntime(x: np.ndarray, weight: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """DynamicQuantizeLinear and MatMulInteger, run by ONNX Runtime."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["q", "w", "zero"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["product"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["product", "scale"], ["half"]),
        helper.make_node("Mul", ["half", "scales"], ["y"]),
    ]
    constants = [onnx.numpy_helper.from_array(weight.T.copy(), "w"), onnx.numpy_helper.from_array(scales, "scales")]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    found = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", given, found, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(["y"], {"x": x})[0]


@pytest.mark.skipif(
    not has_int8_dot_product(), reason="without the dot product, ONNX Runtime's own 8-bit products overflow"
)
@pytest.mark.parametrize("shift", [0.0, 3.0, -3.0])
def test_forward_pass_is_that_of_onnxruntime(shift):
    layer = _fake(bias=False)
    x = torch.randn(2, 5, 32) + shift
    values, scales = _int8(layer.weight.detach())
    expected = _by_onnxruntime(x.numpy(), values.numpy(), scales.numpy())
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-5)


def test_bias_is_added():
    layer, x = _fake(), torch.randn(3, 32)
    with_bias = layer(x)
    layer.bias.data += 5
    torch.testing.assert_close(layer(x), with_bias + 5)


def test_bf16_products_are_rounded_only_at_the_end():
    layer, x = _fake(256, 16, bias=False), torch.randn(4, 256)
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert ((found - exact).abs() <= 2.0**-8 * exact.abs() + 1e-6).all()


def test_gradient_goes_straight_through():
    layer, x = _fake(), torch.randn(6, 32, requires_grad=True)
    upstream = torch.randn(6, 8)
    layer(x).backward(upstream)
    values, scales = _int8(layer.weight.detach())
    torch.testing.assert_close(x.grad, upstream @ (scales.view(-1, 1) * values))
    step = (x.max() - x.min()).item() / 255
    rounded = torch.round(x.detach() / step) * step  # the zero point is whole: it moves no level
    torch.testing.assert_close(layer.weight.grad, upstream.T @ rounded)
    torch.testing.assert_close(layer.bias.grad, upstream.sum(0))


@pytest.mark.parametrize("x", [torch.zeros(2, 32), torch.full((2, 32), 4.0), torch.full((2, 32), -4.0)])
def test_constant_inputs_are_exact(x):
    layer = _fake(bias=False)
    values, scales = _int8(layer.weight.detach())
    torch.testing.assert_close(layer(x), x @ (scales.view(-1, 1) * values).T, atol=1e-5, rtol=1e-5)


def test_simulation_leaves_nothing_but_rounded_weights(tiny_teacher):
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    names = simulate_int8(model)
    assert names == list(encoder_linears(model))
    assert model.state_dict().keys() == before.keys()
    remove_simulation(model)
    assert not any(isinstance(module, FakeInt8Linear) for module in model.modules())
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"{name}.weight" for name in names}


@pytest.fixture(scope="module")
def data_set(tiny_teacher, tiny_task, tmp_path_factory):
    outputs = tmp_path_factory.mktemp("outputs") / "outputs.parquet"
    teacher_outputs(tiny_teacher, tiny_task / "train.parquet", outputs)
    return training_set(tiny_task / "train.parquet", outputs)


def _qat(parent, task, data_set, folder, **settings):
    step = QuantizationAware(stage="quantize", method="qat", lr=1e-3, batch_size=8, **settings)
    plan = plan_of(data_set, soft_targets=SoftTargets())
    return quantize(step, parent, Node(folder, "qat", 3), task=task_in(task), plan=plan)


def test_weights_lie_on_the_grid_and_int8_changes_them_no_more(
    tiny_teacher, tiny_task, data_set, tmp_path, monkeypatch
):
    monkeypatch.setattr(validation.Validation, "best", property(lambda self: self.history[-1]))
    manifest = _qat(tiny_teacher, tiny_task, data_set, tmp_path / "qat")
    assert (manifest.format, manifest.precision, manifest.details["recovered"]) == ("torch", "fp32", True)
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_teacher, tmp_path / "qat/model"))
    assert before.keys() == after.keys()
    names = list(encoder_linears(load_classifier(tiny_teacher, ["bad", "good"], 32)))
    assert manifest.details["on_the_int8_grid"] == len(names) == 24
    for name in names:
        weight = after[f"{name}.weight"]
        assert not torch.allclose(weight, before[f"{name}.weight"], atol=1e-4), name
        values, scales = _int8(weight)
        torch.testing.assert_close(scales.view(-1, 1) * values, weight, rtol=1e-6, atol=0)
    texts = [f"the {noun} was lovely" for noun in ("film", "plot", "cast")]
    quantize(
        Dynamic(stage="quantize", method="dynamic", embeddings=False),
        tmp_path / "qat/model",
        Node(tmp_path, "i", 3),
        task=task_in(tiny_task),
    )
    small, full = (logits_of(load(folder), texts) for folder in (tmp_path / "model", tmp_path / "qat/model"))
    assert (small.argmax(1) == full.argmax(1)).all()
    assert len(json.loads((tmp_path / "qat/training.json").read_text())["history"]) == 2


def test_resumed_training_equals_undisturbed(tiny_teacher, tiny_task, data_set, tmp_path, monkeypatch):
    monkeypatch.setattr(validation.Validation, "best", property(lambda self: self.history[-1]))
    whole = _qat(tiny_teacher, tiny_task, data_set, tmp_path / "whole")
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    forward, calls = FakeInt8Linear.forward, []

    def interrupted(self, x):
        calls.append(1)
        if self.training and len(calls) > 24 * 8:
            raise KeyboardInterrupt
        return forward(self, x)

    with monkeypatch.context() as patch:
        patch.setattr(FakeInt8Linear, "forward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _qat(tiny_teacher, tiny_task, data_set, tmp_path / "killed")
    assert not (tmp_path / "killed/model").exists()
    assert list((tmp_path / "killed/checkpoints").glob("checkpoint-*"))
    assert (
        _qat(tiny_teacher, tiny_task, data_set, tmp_path / "killed")
        == whole
        == read_manifest(tmp_path / "killed/model")
    )
