"""The .ort format of ONNX Runtime's builds for phones: an ONNX model after its graph optimisations, as a flatbuffer."""

from __future__ import annotations

from functools import partial

import onnxruntime

from constrictor.compression.export.context import Changes, ExportContext
from constrictor.compression.export.parity import compare_outputs, refuse_difference
from constrictor.models.manifest import installed_versions
from constrictor.runtimes.onnx import open_session, opened, run_session, session_options, start_session


def write_ort(context: ExportContext) -> Changes:
    """Write `model.ort` from an ONNX artifact of any precision.

    ONNX Runtime puts the parts of the file in another order in each run, so two exports differ by bytes and not by content.

    Raises:
        ConstrictorError: if the model cannot be opened or is too large for the format (2 GB), or their outputs
            things.
    """
    source, target = context.parent / "model.onnx", context.staging / "model.ort"
    options = session_options()
    # Above this level, layouts are chosen that only processors like this one can read.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)  # its ending decides the format
    start_session(source, options)
    parity = compare_outputs(
        context.reference(opened(source, pad_id=context.pad_id)),
        context.outputs(partial(run_session, open_session(target), pad_id=context.pad_id)),
        context,
    )
    refuse_difference(parity, context.settings.tolerance, target)
    return {"details": {"parity": parity}, "versions": installed_versions("onnxruntime")}
