"""Run calibration examples through an ONNX model and choose the ranges of its activations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper

from constrictor.compression.quantization.ranges import RANGES, Observed, passes
from constrictor.data.batching import Batch, Encoded, batches_by_length, inputs_by_name, pad
from constrictor.models.onnx_file import save_onnx
from constrictor.runtimes.onnx import open_session

if TYPE_CHECKING:
    from constrictor.compression.quantization.context import QuantizationContext


def calibrate(model: ModelProto, tensors: list[str], context: QuantizationContext) -> dict[str, tuple[float, float]]:
    """Ranges of inner tensors on the calibration examples.

    Only one batch's activations are in memory at a time.

    Args:
        model: the float32 model.
        tensors: names of the tensors.
        context: where the examples lie, and how a range is chosen.

    Raises:
        ConstrictorError: if there are fewer examples than the step calibrates on.
    """
    sample = context.sample()
    watched = ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tensors)
    with TemporaryDirectory(dir=context.staging) as folder:
        file = Path(folder) / "calibration.onnx"
        save_onnx(watched, file)
        session = open_session(file)
    seen = {name: Observed() for name in tensors}
    choose = RANGES[context.settings.ranges]
    for observe in passes(choose):
        for batch in fitting_batches(session, sample.encoded, sample.pad_id):
            inputs = inputs_by_name(batch, [part.name for part in session.get_inputs()])
            for name, values in zip(tensors, session.run(tensors, inputs), strict=True):
                # Nobody reads what is computed at padded positions.
                observe(seen[name], values[batch["attention_mask"] == 1] if values.ndim == 3 else values)
    return {name: choose(observed) for name, observed in seen.items()}


def fitting_batches(
    session: onnxruntime.InferenceSession, encoded: Encoded, pad_id: int, batch_size: int = 8
) -> Iterator[Batch]:
    """Batches of similar length, in the fixed shape of the model's inputs where they have one.

    A last batch that is too small for a fixed shape repeats its rows; what is too long is cut.
    """
    rows, length = session.get_inputs()[0].shape
    size = rows if isinstance(rows, int) else min(batch_size, len(encoded))
    for chosen in batches_by_length(encoded, size):
        batch = pad([encoded[row] for row in chosen], pad_id)
        if isinstance(rows, int):
            batch = {name: np.resize(values, (size, values.shape[1])) for name, values in batch.items()}
        if isinstance(length, int):
            batch = {
                name: np.pad(
                    values[:, :length],
                    ((0, 0), (0, max(0, length - values.shape[1]))),
                    constant_values=pad_id if name == "input_ids" else 0,
                )
                for name, values in batch.items()
            }
        yield batch
