"""Open ONNX and .ort files with ONNX Runtime and run them. Imports no torch: a process that only serves needs none."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime

from constrictor.data.batching import Arrays, Batch, inputs_by_name
from constrictor.errors import ConstrictorError
from constrictor.runtimes.fixed_shape import fill_up, in_fixed_shape
from constrictor.runtimes.opened import Opened


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


def run_session(session: onnxruntime.InferenceSession, batch: Batch, *, pad_id: int = 0) -> Arrays:
    """A model's outputs for one batch, by their names in the file: ``(batch, ...)``.

    Args:
        session: the model.
        batch: its inputs.
        pad_id: id of the padding token, with which a model of one shape fills up its inputs.
    """
    shape = session.get_inputs()[0].shape
    if all(isinstance(side, int) for side in shape):
        return in_fixed_shape(lambda piece: _run(session, piece), batch, tuple(shape), pad_id)
    return _run(session, batch)


def _run(session: onnxruntime.InferenceSession, batch: Batch) -> Arrays:
    names = [entry.name for entry in session.get_outputs()]
    inputs = inputs_by_name(batch, [entry.name for entry in session.get_inputs()])
    return dict(zip(names, session.run(names, inputs), strict=True))


def opened(file: Path, threads: int = 0, *, pad_id: int) -> Opened:
    """An ONNX or .ort file as every other runtime has it; what is inside the latter cannot be shown.

    Raises:
        ConstrictorError: if the file is no such model.
    """
    predict = partial(run_session, open_session(file, threads), pad_id=pad_id)
    return Opened(predict, partial(first_not_finite, file)) if file.suffix == ".onnx" else Opened(predict)


def first_not_finite(file: Path, batch: Batch) -> str | None:
    """The first node of a model whose output for a batch has an infinite number or NaN: its operator, its name and
    the first weight that it reads.

    Negative infinity alone is what masks are made of, so it does not count.
    """
    from onnx import ValueInfoProto

    from constrictor.models.onnx_file import load_onnx, save_onnx

    model = load_onnx(file)
    constants = {tensor.name for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output if name}
    del model.graph.output[:]
    model.graph.output.extend(ValueInfoProto(name=name) for name in makers)
    with TemporaryDirectory() as folder:
        watched = Path(folder) / "watched.onnx"
        save_onnx(model, watched)
        session = open_session(watched)
    shape = session.get_inputs()[0].shape
    values = _run(session, fill_up(batch, tuple(shape), 0) if all(isinstance(side, int) for side in shape) else batch)
    for name, node in makers.items():
        if np.issubdtype(values[name].dtype, np.floating) and not (values[name] < np.inf).all():
            weight = next((f" ({part})" for part in node.input if part in constants), "")
            return f"{node.op_type} {node.name}{weight}"
    return None
