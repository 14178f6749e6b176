"""Open ONNX and .ort files with ONNX Runtime and run them. Imports no torch: a process that only serves needs none."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from constrictor.data.batching import Arrays, Batch, inputs_by_name
from constrictor.errors import ConstrictorError
from constrictor.runtimes.fixed_shape import in_fixed_shape


def open_session(file: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """Open an ONNX or .ort file on the CPU.

    Args:
        file: the model.
        threads: threads inside an operator; 0 takes all cores.

    Raises:
        ConstrictorError: if the file is no such model.
    """
    options = session_options()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return start_session(file, options)


def session_options() -> onnxruntime.SessionOptions:
    """Options of a session that keeps its remarks to itself."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; its warnings are about its own optimiser
    return options


def start_session(file: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """Open a file with options of its own.

    Raises:
        ConstrictorError: if the file is no such model, or the options do not suit it.
    """
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises exceptions of its own
        raise ConstrictorError(f"{file} cannot be opened by ONNX Runtime: {error}") from None


def run_session(session: onnxruntime.InferenceSession, batch: Batch) -> Arrays:
    """A model's outputs for one batch, by their names in the file: ``(batch, ...)``."""
    shape = session.get_inputs()[0].shape
    if all(isinstance(side, int) for side in shape):
        return in_fixed_shape(lambda piece: _run(session, piece), batch, tuple(shape))
    return _run(session, batch)


def _run(session: onnxruntime.InferenceSession, batch: Batch) -> Arrays:
    names = [entry.name for entry in session.get_outputs()]
    inputs = inputs_by_name(batch, [entry.name for entry in session.get_inputs()])
    return dict(zip(names, session.run(names, inputs), strict=True))
