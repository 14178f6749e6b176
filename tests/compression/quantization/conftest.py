import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from heads import task_in
from onnx import ModelProto, TensorProto, helper, numpy_helper

from constrictor.compression.quantization.quantize import quantize
from constrictor.data.examples import read_examples
from constrictor.models.artifact import seal
from constrictor.models.manifest import read_manifest
from constrictor.study.steps.quantize import AnyQuantize
from constrictor.training.node import Node


@pytest.fixture
def quantized(tiny_task: Path, tmp_path: Path) -> Callable:
    """Quantize an artifact by a step's settings into a new folder; returns the manifest and the artifact's folder."""
    from pydantic import TypeAdapter

    def run(parent: Path, name: str = "small", calibration: Path | None = None, **settings):
        step = TypeAdapter(AnyQuantize).validate_python({"stage": "quantize", **settings})
        node = Node(tmp_path / name, name, seed=1)
        return quantize(step, parent, node, task=task_in(tiny_task), calibration=calibration), node.model

    return run


@pytest.fixture
def edited(tiny_onnx: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the tiny ONNX artifact, changed by a function of its folder, whole by its manifest."""

    def edit(change: Callable[[Path], object]) -> Path:
        folder = shutil.copytree(tiny_onnx, tmp_path / "edited")
        change(folder)
        seal(folder, read_manifest(tiny_onnx))
        return folder

    return edit


@pytest.fixture
def texts(tiny_task: Path) -> list[str]:
    return read_examples(tiny_task / "test.parquet").texts


@pytest.fixture
def graph() -> Callable[..., ModelProto]:
    """A model whose parts are all there is to quantize: ids -> table -> matrix -> mean -> Gemm -> logits."""

    def build(rows: int = 50, width: int = 48, hidden: int = 40, scale: float = 1.0) -> ModelProto:
        random = np.random.default_rng(0)
        arrays = {
            "table": random.normal(size=(rows, width)) * scale,
            "matrix": random.normal(size=(width, hidden)) * scale,
            "gemm": random.normal(size=(hidden, hidden)),
            "gemm_bias": random.normal(size=hidden),
            "head": random.normal(size=(2, hidden)),
            "head_bias": random.normal(size=2),
        }
        nodes = [
            helper.make_node("Gather", ["table", "input_ids"], ["rows"], "lookup"),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
            helper.make_node("Mul", ["rows", "column"], ["masked"]),
            helper.make_node("MatMul", ["masked", "matrix"], ["product"], "product"),
            helper.make_node("ReduceMean", ["product", "one"], ["mean"], keepdims=0),
            helper.make_node("Gemm", ["mean", "gemm", "gemm_bias"], ["pooled"], "pooler"),
            helper.make_node("Gemm", ["pooled", "head", "head_bias"], ["logits"], "head", transB=1),
        ]
        shape = ["batch", "length"]
        constants = {name: values.astype(np.float32) for name, values in arrays.items()}
        constants |= {"last": np.array([-1]), "one": np.array([1])}
        made = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
            [numpy_helper.from_array(values, name) for name, values in constants.items()],
        )
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        onnx.checker.check_model(model)
        return model

    return build


@pytest.fixture
def outputs() -> Callable:
    """Run a model with ONNX Runtime and give inner tensors by name."""
    import onnxruntime

    def run(model: ModelProto, names: list[str], **inputs) -> list[np.ndarray]:
        watched = ModelProto()
        watched.CopyFrom(model)
        known = {output.name for output in model.graph.output}
        watched.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in known
        )
        return onnxruntime.InferenceSession(watched.SerializeToString()).run(names, inputs)

    return run


@pytest.fixture
def arrays() -> Callable[[ModelProto], dict[str, np.ndarray]]:
    """All constants of a model by name."""
    return lambda model: {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
