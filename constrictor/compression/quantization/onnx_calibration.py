"""Run calibration examples through an ONNX model and choose the ranges of its activations."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from onnx import ModelProto, TensorProto, helper

from constrictor.artifacts.onnx_file import save_onnx
from constrictor.artifacts.onnx_model import open_session
from constrictor.compression.quantization.onnx_method import fitting_batches
from constrictor.compression.quantization.ranges import RANGES, Observed, looks
from constrictor.data.batching import inputs_by_name

if TYPE_CHECKING:
    from constrictor.compression.quantization.work import Work


def calibrate(model: ModelProto, tensors: list[str], work: Work) -> dict[str, tuple[float, float]]:
    """Ranges of inner tensors on the calibration examples.

    Only one batch's activations are in memory at a time.

    Args:
        model: the float32 model.
        tensors: names of the tensors.
        work: what says where the examples lie and how a range is chosen.

    Raises:
        ConstrictorError: if there are fewer examples than the step wants to look at.
    """
    sample = work.sample()
    watched = ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tensors)
    with TemporaryDirectory(dir=work.staging) as folder:
        file = Path(folder) / "calibration.onnx"
        save_onnx(watched, file)
        session = open_session(file)
    seen = {name: Observed() for name in tensors}
    choose = RANGES[work.settings.ranges]
    for look in looks(choose):
        for batch in fitting_batches(session, sample.encoded, sample.pad_id):
            inputs = inputs_by_name(batch, [part.name for part in session.get_inputs()])
            for name, values in zip(tensors, session.run(tensors, inputs), strict=True):
                # Nobody reads what is computed at padded positions.
                look(seen[name], values[batch["attention_mask"] == 1] if values.ndim == 3 else values)
    return {name: choose(observed) for name, observed in seen.items()}
