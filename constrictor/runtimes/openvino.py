"""Open OpenVINO models and run them, in the precision that was requested and not in its default."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

from constrictor.data.batching import Arrays, Batch, inputs_by_name
from constrictor.errors import ConstrictorError
from constrictor.runtimes.fixed_shape import in_fixed_shape

_HINTS = {"fp32": "f32", "bf16": "bf16"}
_NAMES = {"f32": "fp32", "f16": "fp16"}


def import_openvino() -> ModuleType:
    """The package `openvino`, which only this format needs.

    Raises:
        ConstrictorError: if it is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise ConstrictorError(
            f"the format openvino needs the package openvino ({error}). Install it as envs/lock.txt pins it."
        ) from None
    return openvino


def open_openvino(file: Path, precision: str, threads: int = 0) -> Any:
    """Compile a model for the CPU.

    Args:
        file: the model's ``.xml``.
        precision: arithmetic of the matrix products, `fp32` or `bf16`; without a word OpenVINO takes bf16 where it can.
        threads: threads to compute with; 0 leaves it to OpenVINO.

    Raises:
        ConstrictorError: if the package is missing or the file is no such model.
    """
    openvino = import_openvino()
    hints = {"INFERENCE_PRECISION_HINT": _HINTS[precision], "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    if threads:
        hints["INFERENCE_NUM_THREADS"] = threads
    try:
        return openvino.Core().compile_model(file, "CPU", hints)
    except RuntimeError as error:
        raise ConstrictorError(f"{file} cannot be opened by OpenVINO: {error}") from None


def real_precision(compiled: Any) -> str:
    """Arithmetic that most of a compiled model's matrix products run in (`fp32`, `bf16`, ...), whatever was requested."""
    found = Counter[str]()
    for node in compiled.get_runtime_model().get_ordered_ops():
        facts = node.get_rt_info()
        if facts["layerType"].astype(str) in ("FullyConnected", "MatMul"):
            found[facts["runtimePrecision"].astype(str)] += 1
    name = found.most_common(1)[0][0]
    return _NAMES.get(name, name)


def run_openvino(compiled: Any, batch: Batch, *, pad_id: int) -> Arrays:
    """A model's outputs for one batch, by their names in the file: ``(batch, ...)``.

    Args:
        compiled: the model.
        batch: its inputs.
        pad_id: id of the padding token, with which a model of one shape fills up its inputs.
    """
    shape = compiled.inputs[0].partial_shape
    if shape.is_static:
        rows, length = shape.to_shape()
        return in_fixed_shape(lambda piece: _run(compiled, piece), batch, (rows, length), pad_id)
    return _run(compiled, batch)


def _run(compiled: Any, batch: Batch) -> Arrays:
    found = compiled(inputs_by_name(batch, [entry.any_name for entry in compiled.inputs]))
    return {entry.any_name: found[entry] for entry in compiled.outputs}
