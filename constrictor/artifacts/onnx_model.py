"""Open ONNX files with ONNX Runtime and run them. Imports no torch: a process that only serves needs none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from constrictor.data.tokenization import Batch
from constrictor.errors import ConstrictorError


def open_session(file: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU.

    Args:
        file: the model.
        threads: threads inside an operator; 0 takes all cores.

    Raises:
        ConstrictorError: if the file is no ONNX model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; its warnings are about its own optimiser
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises exceptions of its own
        raise ConstrictorError(f"{file} cannot be opened by ONNX Runtime: {error}") from None


def run_session(session: onnxruntime.InferenceSession, batch: Batch) -> np.ndarray:
    """Logits ``(batch, classes)`` of one batch."""
    return session.run(["logits"], {name: batch[name] for name in ("input_ids", "attention_mask")})[0]
