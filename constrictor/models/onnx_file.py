"""Read and write ONNX files, whatever their size."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto

from constrictor.errors import ConstrictorError

# A protobuf message cannot be larger; the tensors of a larger model go into a file beside it.
LARGEST_MESSAGE = 2**31 - 2**20


def load_onnx(file: Path) -> ModelProto:
    """Read an ONNX file, with its external data if it has some.

    Raises:
        ConstrictorError: if the file is not a whole ONNX model.
    """
    try:
        onnx.checker.check_model(file)
        model = onnx.load(file)
    except Exception as error:  # protobuf, the checker and the file system raise exceptions of their own
        raise ConstrictorError(
            f"{file} is no whole ONNX model ({str(error).splitlines()[0]}). Delete its folder and run snakemake again."
        ) from None
    # The exporter's notes on inner shapes contradict what the quantizers make of them.
    del model.graph.value_info[:]
    return model


def needs_external_data(model: ModelProto) -> bool:
    """Whether a model's weights are too large for one file."""
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer) > LARGEST_MESSAGE


def save_onnx(model: ModelProto, file: Path) -> None:
    """Write an ONNX file; what is too large for one file goes into ``<name>.data`` beside it."""
    onnx.save(model, file, save_as_external_data=needs_external_data(model), location=f"{file.name}.data")
